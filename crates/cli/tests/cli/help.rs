//! What `--help` says, of the program and of each command.

use crate::support::run;

/// The names under `Commands:` of a help text.
fn commands_of(path: &[&str]) -> Vec<String> {
    let ran = run(&[path, &["--help"]].concat());
    assert_eq!(ran.code, 0, "{path:?}: {}", ran.err);
    let commands = ran.out.lines().skip_while(|line| *line != "Commands:").skip(1);
    let names = commands.take_while(|line| line.starts_with("  ")).filter(|line| !line.starts_with("   "));
    names.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

/// Every command that has none below it, as it is typed.
fn all_commands() -> Vec<String> {
    let mut commands = Vec::new();
    for command in commands_of(&[]) {
        let below = commands_of(&[&command]);
        if below.is_empty() {
            commands.push(command);
        } else {
            commands.extend(below.into_iter().map(|below| format!("{command} {below}")));
        }
    }
    commands
}

/// Those that a line of a batch may hold.
pub(crate) fn data_commands() -> Vec<String> {
    let of_the_program = |command: &String| ["quickstart", "migrate", "batch"].iter().any(|name| command.starts_with(name));
    all_commands().into_iter().filter(|command| !of_the_program(command)).collect()
}

#[test]
fn help_of_the_program() {
    insta::assert_snapshot!(run(&["--help"]).out);
}

#[test]
fn help_of_each_command() {
    let help = |command: String| {
        let words: Vec<&str> = command.split(' ').chain(["--help"]).collect();
        let text = run(&words).out;
        // What every command takes is shown once, by the help of the program.
        let (own, rest) = text.split_once("Options of every command:\n").expect("every command takes them");
        let (_, example) = rest.split_once("\nExample:\n").expect("every command shows one");
        format!("=== tenantry {command}\n{own}Example:\n{example}\n")
    };
    insta::assert_snapshot!(all_commands().into_iter().map(help).collect::<String>());
}

#[test]
fn the_version_is_told() {
    let ran = run(&["--version"]);
    assert_eq!((ran.code, ran.out), (0, format!("tenantry {}\n", env!("CARGO_PKG_VERSION"))));
}
