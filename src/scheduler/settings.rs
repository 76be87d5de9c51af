//! Settings of the tasks that run at set times.

use std::str::FromStr;
use std::time::Duration;

use chrono_tz::Tz;
use clap::Args;

use super::CronTimes;

/// Tasks that run at set times. All nodes need the same settings.
#[derive(Args, Clone)]
pub struct ScheduleArgs {
    /// Run a task at set times: its name, `=` and a cron expression, such as `archive=30 3 * * *`; repeat it for further tasks, or separate them with `;`
    #[arg(long, env = "SHOP_SCHEDULE", value_name = "TASK=CRON", value_delimiter = ';')]
    pub schedule: Vec<ScheduleSetting>,
    /// Time zone of the schedules and of the staff's pages, such as Europe/Berlin
    #[arg(long, env = "SHOP_SCHEDULE_ZONE", default_value = "UTC", value_parser = parse_zone)]
    pub schedule_zone: Tz,
    /// Age of the last event of what the scheduled task `archive` archives: a number with s, m, h or d
    #[arg(long, env = "SHOP_ARCHIVE_OLDER_THAN", default_value = "365d", value_parser = parse_age)]
    pub archive_older_than: Duration,
    /// Age of the files that the scheduled task `cleanup` deletes: a number with s, m, h or d
    #[arg(long, env = "SHOP_CLEANUP_MAX_AGE", default_value = "7d", value_parser = parse_age)]
    pub cleanup_max_age: Duration,
    /// Keep at most this many files of the scheduled tasks `dump` and `backup` in each folder, the newest; 0 keeps all
    #[arg(long, env = "SHOP_KEEP_DUMPS", default_value_t = 30)]
    pub keep_dumps: usize,
}

/// A task that can run at set times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScheduledTask {
    Archive,
    Cleanup,
    Dump,
    Backup,
}

/// A task and its times.
#[derive(Clone, Debug)]
pub struct ScheduleSetting {
    pub task: ScheduledTask,
    pub times: CronTimes,
}

impl ScheduledTask {
    const ALL: [Self; 4] = [Self::Archive, Self::Cleanup, Self::Dump, Self::Backup];

    /// The name in settings, in `status` and in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Archive => "archive",
            Self::Cleanup => "cleanup",
            Self::Dump => "dump",
            Self::Backup => "backup",
        }
    }
}

impl ScheduleArgs {
    /// Fails if a task is named twice.
    pub fn check(&self) -> Result<(), String> {
        for (place, ScheduleSetting { task, .. }) in self.schedule.iter().enumerate() {
            if self.schedule[..place].iter().any(|earlier| earlier.task == *task) {
                return Err(format!("--schedule names the task {} twice", task.name()));
            }
        }
        Ok(())
    }
}

impl FromStr for ScheduleSetting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = || ScheduledTask::ALL.map(ScheduledTask::name).join(", ");
        let (name, times) = text.split_once('=').ok_or("must be a task, = and a cron expression of five fields")?;
        let task = ScheduledTask::ALL.into_iter().find(|task| task.name() == name.trim());
        let task = task.ok_or_else(|| format!("`{}` is not a task; the tasks are: {}", name.trim(), names()))?;
        Ok(Self { task, times: times.parse()? })
    }
}

/// An age such as `7d` or `12h`.
pub fn parse_age(text: &str) -> Result<Duration, String> {
    let explain = || "must be a whole number with s, m, h or d, such as 7d".to_owned();
    let (number, seconds) = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400)]
        .into_iter()
        .find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)))
        .ok_or_else(explain)?;
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
    let number: u32 = number.parse().ok().filter(|_| is_number).ok_or_else(explain)?;
    Ok(Duration::from_secs(u64::from(number) * seconds))
}

fn parse_zone(text: &str) -> Result<Tz, String> {
    text.parse().map_err(|_| "must be the name of a time zone, such as Europe/Berlin".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_a_number_and_a_unit() {
        assert_eq!(parse_age("7d").unwrap(), Duration::from_secs(7 * 86_400));
        assert_eq!(parse_age("0s").unwrap(), Duration::ZERO);
        assert_eq!(parse_age("90m").unwrap(), Duration::from_secs(5_400));
        for text in ["", "7", "d", "-1d", "+1d", "1.5h", "7 d", "7w", "7€", "99999999999d"] {
            assert!(parse_age(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_schedule_names_a_task_and_its_times() {
        let setting: ScheduleSetting = "archive = 30 3 * * *".parse().unwrap();
        assert_eq!(setting.task, ScheduledTask::Archive);
        for (text, expected) in [
            ("archive", "must be a task"),
            ("archives=30 3 * * *", "`archives` is not a task; the tasks are: archive, cleanup, dump, backup"),
            ("archive=30 25 * * *", "`30 25 * * *` is not a cron expression"),
        ] {
            let error = text.parse::<ScheduleSetting>().unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
        assert!(parse_zone("Europe/Berlin").is_ok() && parse_zone("Europe/Atlantis").is_err());
    }
}
