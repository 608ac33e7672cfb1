//! `boss-bot completions SHELL`.

use clap_complete::Shell;

use super::Exit;

/// Print shell completions.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  boss-bot completions bash > ~/.local/share/bash-completion/completions/boss-bot
  boss-bot completions zsh  > ~/.zfunc/_boss-bot
  boss-bot completions fish > ~/.config/fish/completions/boss-bot.fish")]
pub(super) struct Args {
    /// Which shell
    shell: Shell,
}

pub(super) fn execute(args: &Args, command: &mut clap::Command) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, command, "boss-bot", &mut script);
    super::output::print(|out| out.write_all(&script))
}
