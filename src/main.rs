//! The daemon and its commands; see [`smartassist_etl::cli`].

/// Faster and smaller than glibc's; `.cargo/config.toml` configures it.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> std::process::ExitCode {
    smartassist_etl::cli::main()
}
