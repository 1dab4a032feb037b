# Stands for mongo: the mongod of a wheel, as user 999, and an entry point that makes the root user.
FROM debian-base
RUN groupadd --system --gid 999 mongodb && \
    useradd --system --uid 999 --gid 999 --no-create-home --home-dir /data/db --shell /usr/sbin/nologin mongodb && \
    apt-get -qq update && \
    apt-get -qq install --yes --no-install-recommends libcurl4 liblzma5 libssl3 procps python3 python3-pymongo > /dev/null && \
    rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin && \
    mkdir -p /data/db /data/configdb && chown -R mongodb:mongodb /data
COPY --chmod=0755 wheel/fiftyone/db/bin/mongod /usr/local/bin/mongod
COPY --chmod=0755 mongo_entrypoint.py /usr/local/bin/docker-entrypoint.sh
VOLUME ["/data/db", "/data/configdb"]
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["mongod"]
