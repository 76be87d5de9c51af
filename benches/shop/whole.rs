//! The whole program: the half-year import, start-up time and idle memory.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::load::rounds;
use crate::program::{self, Program, command};
use crate::report::{Report, Spread};

/// Six months of a real shop's sales, in a folder beside this project.
const HALF_YEAR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/online_retail_2010-12_2011-05.csv.xz");

pub async fn measure(report: &mut Report) {
    starts(report);
    if !Path::new(HALF_YEAR).exists() {
        println!("{HALF_YEAR} not found: skipping the half-year import");
        return;
    }
    let unpacked = Command::new("xz").args(["--decompress", "--stdout", HALF_YEAR]).output().expect("xz is installed");
    let folder = program::folder();
    let file = folder.path().join("half-year.csv");
    std::fs::write(&file, unpacked.stdout).expect("the file can be written");
    play(report, &file);
}

fn starts(report: &mut Report) {
    let (mut first, mut warm, mut memory) = (vec![], vec![], vec![]);
    for _ in 0..3 {
        let folder = program::folder();
        let program = Program::start(folder.path());
        first.push(program.ready_after.as_secs_f64());
        program.stop();
        for _ in 0..3 {
            let program = Program::start(folder.path());
            warm.push(program.ready_after.as_secs_f64());
            std::thread::sleep(Duration::from_secs(1));
            memory.push(program.memory().0);
            program.stop();
        }
    }
    report.add("ready after the first start, s", Spread::of(first).to_string(), "–".to_owned(), "< 6");
    report.add("ready after a later start, s", Spread::of(warm).to_string(), "–".to_owned(), "< 0.5");
    report.add("memory of the idle server process, MB", Spread::of(memory).to_string(), "–".to_owned(), "< 50");
}

/// Imports the half year into a new shop and waits until all tables have caught up.
fn play(report: &mut Report, file: &Path) {
    let mut seconds = vec![];
    for _ in 0..rounds().min(3) {
        let folder = program::folder();
        let started = Instant::now();
        let played = command(folder.path()).arg("play").arg(file).output().expect("the program runs");
        seconds.push(started.elapsed().as_secs_f64());
        assert!(played.status.success(), "{}", String::from_utf8_lossy(&played.stderr));
        let verified = command(folder.path()).args(["verify", "--log"]).output().expect("the program runs");
        assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    }
    report.add(
        "half-year import, including the first start, s",
        Spread::of(seconds).to_string(),
        "–".to_owned(),
        "< 20",
    );
}
