//! The daemon and its commands; see [`smartassist_etl::cli`].

fn main() -> std::process::ExitCode {
    smartassist_etl::cli::main()
}
