# Stands for redis: Debian's redis-server, as user 999.
FROM debian-base
RUN groupadd --system --gid 999 redis && \
    useradd --system --uid 999 --gid 999 --no-create-home --home-dir /data --shell /usr/sbin/nologin redis && \
    apt-get -qq update && \
    apt-get -qq install --yes --no-install-recommends redis-server > /dev/null && \
    rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin && \
    mkdir -p /data && chown redis:redis /data
WORKDIR /data
CMD ["redis-server"]
