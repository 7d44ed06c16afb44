//! The program `hoga-replay`.

fn main() -> std::process::ExitCode {
    hoga_replay::cli::main()
}
