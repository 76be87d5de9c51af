FROM rust:1.95-slim-bookworm AS build
WORKDIR /source
COPY . .
RUN cargo build --release --locked

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates curl \
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
