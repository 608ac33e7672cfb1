//! The program: everything it does is in the library, see `boss_bot::commands`.

use std::process::ExitCode;

fn main() -> ExitCode {
    boss_bot::commands::main(std::env::args_os()).into()
}
