FROM rust:1.95-slim-bookworm AS build
WORKDIR /source
# The dependencies, in a layer that is built again only when they change: the package is empty here.
COPY Cargo.toml Cargo.lock ./
COPY .cargo .cargo
RUN mkdir -p src benches/shop \
    && touch src/lib.rs \
    && echo 'fn main() {}' | tee src/main.rs > benches/shop/main.rs \
    && cargo build --release --locked \
    && cargo clean --release --package cartwright \
    && rm -r src benches
COPY . .
RUN cargo build --release --locked

FROM debian:bookworm-slim
# psql is for `cartwright sql`.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates curl postgresql-client \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 cartwright \
    && install --directory --owner cartwright --mode 0700 /var/lib/cartwright
COPY --from=build /source/target/release/cartwright /usr/local/bin/
USER cartwright
# The keys that access tokens are signed with, and mails where there is no SMTP server.
ENV SHOP_DATA_DIR=/var/lib/cartwright
VOLUME /var/lib/cartwright
EXPOSE 8000
CMD ["cartwright"]
