//! The daemon and its commands; see [`smartassist_etl::cli`].

/// Less work than glibc's, in less memory; set by `.cargo/config.toml`.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> std::process::ExitCode {
    smartassist_etl::cli::main()
}
