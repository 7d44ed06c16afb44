//! The program `hoga`: see `hoga --help`.

fn main() -> std::process::ExitCode {
    hoga::cli::main()
}
