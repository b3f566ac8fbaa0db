// Run before the provider: `node tls.mjs FOLDER` makes a certificate authority and all that it vouches for, anew for every
// run. The provider itself has to trust it from the start (NODE_EXTRA_CA_CERTS), because it calls notification endpoints.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = process.argv[2];
const at = (name) => join(folder, name);
const openssl = (...args) => execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

function selfSigned(name, subject, ...extensions) {
  openssl('req', '-x509', ...curve, '-keyout', at(`${name}.key`), '-out', at(`${name}.pem`), '-days', '2', '-subj', subject,
    ...extensions.flatMap((extension) => ['-addext', extension]));
}

function issued(name, subject, ...extensions) {
  openssl('req', '-new', ...curve, '-keyout', at(`${name}.key`), '-out', at(`${name}.csr`), '-subj', subject);
  writeFileSync(at(`${name}.ext`), [...extensions, 'basicConstraints=critical,CA:FALSE', ''].join('\n'));
  openssl('x509', '-req', '-in', at(`${name}.csr`), '-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial',
    '-out', at(`${name}.pem`), '-days', '2', '-extfile', at(`${name}.ext`));
}

selfSigned('ca', '/CN=ciba interop CA', 'keyUsage=critical,keyCertSign,cRLSign');
// The provider, and the client's notification endpoints.
for (const name of ['server', 'notify']) {
  issued(name, '/CN=localhost', 'subjectAltName=IP:127.0.0.1,DNS:localhost', 'extendedKeyUsage=serverAuth');
}
issued('client', '/CN=ciba interop client', 'extendedKeyUsage=clientAuth');
issued('stranger', '/CN=somebody else', 'extendedKeyUsage=clientAuth');
selfSigned('self-signed', '/CN=ciba interop self-signed');
