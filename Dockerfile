# The product image: one binary, the C library it needs and a CA bundle, as a user without rights. No shell, no package
# manager, no PostgreSQL: the container needs `database.url` (or DATABASE_URL), see docker-compose.yml.
# What it is made of is in it twice: /sbom.cdx.json (CycloneDX), and within the binary, for `cargo audit bin`.
#
#   make image                                                 the product (the last stage), with version and revision
#   docker build -t smartassist-simulator --target simulator . the API stand-in, for the demo only
#
# Keep the tag equal to `channel` in rust-toolchain.toml, which .dockerignore keeps out: it asks for clippy and rustfmt,
# and rustup would download them here for nothing.

FROM docker.io/library/rust:1.95-slim-bookworm AS chef
# jemalloc is built with it.
RUN apt-get update && apt-get install -y --no-install-recommends make && rm -rf /var/lib/apt/lists/*
RUN cargo install cargo-chef --version 0.1.78 --locked
WORKDIR /build

# What to compile of the dependencies: from the manifests and the lock file, so that a change in src/ changes nothing here.
FROM chef AS planner
COPY . .
RUN cargo chef prepare --recipe-path recipe.json

# Dependencies in a layer of their own, rebuilt when a manifest or the lock file changes.
FROM chef AS builder
RUN cargo install cargo-auditable --version 0.7.7 --locked
RUN cargo install cargo-cyclonedx --version 0.5.9 --locked
COPY --from=planner /build/recipe.json recipe.json
RUN cargo chef cook --release --locked --package smartassist-etl --bin smartassist-etl --recipe-path recipe.json
COPY . .
RUN cargo auditable build --release --locked --package smartassist-etl --bin smartassist-etl
RUN cargo cyclonedx --format json --spec-version 1.5 --override-filename sbom.cdx

# The root of the product image. The binary keeps its symbols, for readable backtraces, but not the line tables, which are
# four fifths of it. `ldd` names the shared libraries, so that it holds on every architecture; the C library
# of Debian 12 has the "files" and "dns" lookups built in.
RUN set -eu; \
    mkdir -p /image/etc/ssl/certs; \
    strip --strip-debug -o /image/smartassist-etl target/release/smartassist-etl; \
    ldd target/release/smartassist-etl | grep -o '/[^ ]*' | sort -u | xargs -I{} cp -L --parents {} /image/; \
    cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/; \
    cp sbom.cdx.json /image/; \
    echo 'nonroot:x:65532:65532:nonroot:/:/nonexistent' >/image/etc/passwd; \
    echo 'nonroot:x:65532:' >/image/etc/group; \
    echo 'hosts: files dns' >/image/etc/nsswitch.conf

FROM chef AS simulator-builder
COPY --from=planner /build/recipe.json recipe.json
RUN cargo chef cook --release --locked --package smartassist-simulator --recipe-path recipe.json
COPY . .
RUN cargo build --release --locked --package smartassist-simulator

# The API stand-in of the demo. Never part of the product image.
FROM docker.io/library/rust:1.95-slim-bookworm AS simulator
COPY --from=simulator-builder /build/target/release/smartassist-simulator /usr/local/bin/
USER 65532:65532
EXPOSE 8090
ENTRYPOINT ["smartassist-simulator"]
CMD ["--bind", "0.0.0.0:8090"]

FROM scratch AS product
# What `make image` gives: of the manifest, the commit, and when that was made.
ARG VERSION=unknown
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="smartassist-etl" \
      org.opencontainers.image.description="Loads every Kore.ai SmartAssist interaction into PostgreSQL, exactly once and nothing lost without a word" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
COPY --from=builder /image/ /
ENV SMARTASSIST_ETL__HTTP__BIND=0.0.0.0:8080
USER 65532:65532
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 CMD ["/smartassist-etl", "healthcheck"]
ENTRYPOINT ["/smartassist-etl"]
CMD ["run"]
