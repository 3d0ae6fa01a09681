#!/usr/bin/env bash
# Makes a development certificate authority and certificates for the services. Not for production: the authority's key
# lies beside the certificates.
#
#   certificates.sh DIRECTORY [NAME...]
#
# NAME is `scheduler`, `gateway` or `service/WHO`; without any, the first two and `service/example` are made. Each gets
# NAME.pem (certificate) and NAME.key, with a `/` turned into `-`, the URI spiffe://backfill/NAME, and the DNS names and
# addresses in HOSTS. What exists is kept, so that a later call adds names under the same authority.
#
#   DAYS=30              how long the certificates hold
#   HOSTS="localhost 127.0.0.1 ::1"
set -euo pipefail

directory=${1:?usage: certificates.sh DIRECTORY [NAME...]}
shift
names=("$@")
[ ${#names[@]} -gt 0 ] || names=(scheduler gateway service/example)
days=${DAYS:-30}
hosts=${HOSTS:-localhost 127.0.0.1 ::1}

mkdir -p "$directory"
umask 077

# A P-256 key: small, quick to sign with, and known to every peer.
make_key() {
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null
}

if [ ! -e "$directory/ca.pem" ]; then
    make_key "$directory/ca.key"
    openssl req -x509 -new -key "$directory/ca.key" -out "$directory/ca.pem" -days "$days" \
        -subj "/CN=Backfill development authority" \
        -addext "basicConstraints=critical,CA:true,pathlen:0" -addext "keyUsage=critical,keyCertSign,cRLSign"
    chmod 644 "$directory/ca.pem"
fi

for name in "${names[@]}"; do
    file=$directory/${name//\//-}
    [ ! -e "$file.pem" ] || continue
    alternatives="URI:spiffe://backfill/$name"
    for host in $hosts; do
        # An address has only digits and dots, or colons.
        case $host in
        *:*) alternatives+=",IP:$host" ;;
        *[!0-9.]*) alternatives+=",DNS:$host" ;;
        *) alternatives+=",IP:$host" ;;
        esac
    done
    make_key "$file.key"
    openssl req -new -key "$file.key" -subj "/CN=${name//\//-}" |
        openssl x509 -req -CA "$directory/ca.pem" -CAkey "$directory/ca.key" -days "$days" -out "$file.pem" \
            -set_serial "0x$(openssl rand -hex 16 | sed 's/^./4/')" -extfile <(
                echo "basicConstraints=critical,CA:false"
                echo "keyUsage=critical,digitalSignature"
                echo "extendedKeyUsage=serverAuth,clientAuth"
                echo "subjectKeyIdentifier=hash"
                echo "authorityKeyIdentifier=keyid"
                echo "subjectAltName=$alternatives"
            ) 2>/dev/null
    chmod 644 "$file.pem"
done
