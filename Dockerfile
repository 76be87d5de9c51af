FROM rust:1.95-slim-bookworm AS build
WORKDIR /source
COPY . .
RUN cargo build --release --locked

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates curl \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 cartwright
COPY --from=build /source/target/release/cartwright /usr/local/bin/
USER cartwright
EXPOSE 8000
CMD ["cartwright"]
