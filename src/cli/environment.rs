//! Environment variables that no setting reads: a misspelt name would be ignored silently.

use std::collections::BTreeSet;

use clap::CommandFactory;

use super::Cli;

/// All variables of the shop have this prefix.
const PREFIX: &str = "SHOP_";
/// Variables that are read outside the settings.
const OTHERS: [&str; 1] = ["SHOP_LOG"];

/// A line for each `SHOP_…` variable of this process that nothing reads.
pub(super) fn unknown_variables() -> Vec<String> {
    let given = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    warnings(given, &known_variables(&Cli::command()))
}

/// Names that the settings of the command and its subcommands read.
fn known_variables(command: &clap::Command) -> BTreeSet<String> {
    let own = command.get_arguments().filter_map(|argument| argument.get_env()?.to_str().map(str::to_owned));
    let subcommands = command.get_subcommands().flat_map(known_variables);
    own.chain(subcommands).chain(OTHERS.map(str::to_owned)).collect()
}

fn warnings(given: impl Iterator<Item = String>, known: &BTreeSet<String>) -> Vec<String> {
    let mut unknown: Vec<_> = given.filter(|name| name.starts_with(PREFIX) && !known.contains(name)).collect();
    unknown.sort();
    unknown.iter().map(|name| warning(name, known)).collect()
}

fn warning(name: &str, known: &BTreeSet<String>) -> String {
    let similarity = |other: &&String| strsim::jaro(name, other);
    match known.iter().max_by(|one, other| similarity(one).total_cmp(&similarity(other))) {
        Some(nearest) if similarity(&nearest) > 0.9 => {
            format!("no setting reads the variable {name}; did you mean {nearest}?")
        }
        _ => format!("no setting reads the variable {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_variable_is_named_with_the_nearest_one() {
        let known = known_variables(&Cli::command());
        let warn = |names: &[&str]| warnings(names.iter().map(ToString::to_string), &known);
        assert_eq!(
            warn(&["SHOP_LISTN", "SHOP_LISTEN", "SHOP_LOG", "HOME", "SHOP_WINDOW"]),
            [
                "no setting reads the variable SHOP_LISTN; did you mean SHOP_LISTEN?",
                "no setting reads the variable SHOP_WINDOW",
            ]
        );
    }
}
