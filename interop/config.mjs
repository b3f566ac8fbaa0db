// What the provider is told: clients, people and signing keys. Nothing here depends on how it is started.
import { X509Certificate, createHash, generateKeyPairSync, randomBytes } from 'node:crypto';

const GRANT = 'urn:openid:params:grant-type:ciba';

/** What happens on the person's phone, chosen by the login hint. Anyone else is unknown. */
export const PEOPLE = {
  approve: { after: 100, approves: true },
  'approve-later': { after: 7_000, approves: true },
  deny: { after: 100, approves: false },
  never: null,
  // Before the acknowledgement leaves, so that in ping mode the notification overtakes it.
  'approve-at-once': { approves: true },
  'deny-at-once': { approves: false },
  // The provider gets new keys before it signs.
  rotate: { after: 100, approves: true, rotates: true },
  // After so many pending answers; the provider names an interval of a second.
  'approve-third': { pending: 2, interval: 1, approves: true },
};

/** What clients that are registered for user codes have to send. */
export const USER_CODE = '2468';

export const SCOPES = ['accounts'];
export const RESOURCES = ['https://accounts.example/', 'https://payments.example/v1'];

const CURVES = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' };

const RSA = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'];
export const ASYMMETRIC = [...RSA, 'ES256', 'ES384', 'ES512', 'EdDSA'];
const HMAC = ['HS256', 'HS384', 'HS512'];

export const ALGORITHMS = [...HMAC, ...ASYMMETRIC];

/** Keys by kind: one RSA key serves all six RSA algorithms of an owner, because making one takes a while. */
export function keyMaker() {
  let rsa;
  return (alg) => {
    if (RSA.includes(alg)) return (rsa ??= generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey);
    if (alg === 'EdDSA') return generateKeyPairSync('ed25519').privateKey;
    return generateKeyPairSync('ec', { namedCurve: CURVES[alg] }).privateKey;
  };
}

export function privateJwk(privateKey, alg, kid) {
  return { ...privateKey(alg).export({ format: 'jwk' }), alg, kid, use: 'sig' };
}

/** One signing key for each algorithm; key ids differ from one generation to the next. */
export function signingKeys(generation) {
  const privateKey = keyMaker();
  return { keys: ASYMMETRIC.map((alg) => privateJwk(privateKey, alg, `${alg}-${generation}`)) };
}

/** Public members of a key, named one by one. */
export function publicJwk({ kty, crv, x, y, n, e, alg, kid, use }) {
  return JSON.parse(JSON.stringify({ kty, crv, x, y, n, e, alg, kid, use }));
}

/**
 * Every client authentication with every algorithm it has, every ID Token algorithm, every algorithm of signed requests,
 * and clients of ping mode, for each notification endpoint.
 * Returns what the provider registers and what the tests need to be that client.
 *
 * `certificates` are texts in PEM by name, `endpoints` are addresses by the name of the adapter that listens there.
 */
export function clients(certificates, endpoints) {
  const made = [];
  const privateKey = keyMaker();

  function add(name, method, alg, idTokenAlg, { signed, endpoint, certificate, userCode } = {}) {
    const registered = {
      client_id: name,
      grant_types: [GRANT],
      response_types: [],
      redirect_uris: [],
      backchannel_token_delivery_mode: endpoint ? 'ping' : 'poll',
      backchannel_client_notification_endpoint: endpoint,
      backchannel_authentication_request_signing_alg: signed,
      backchannel_user_code_parameter: userCode,
      token_endpoint_auth_method: method,
      token_endpoint_auth_signing_alg: alg,
      id_token_signed_response_alg: idTokenAlg,
      authorization_details_types: ['payment'],
    };
    const known = {
      client_id: name, method, alg, signed, certificate, id_token_alg: idTokenAlg,
      notification_endpoint: endpoint, user_codes: userCode ?? false, fapi: name.startsWith('fapi-'),
    };
    const keys = [];
    if (method === 'private_key_jwt' || signed) {
      known.key = privateJwk(privateKey, signed ?? alg, `${name}-key`);
      keys.push(publicJwk(known.key));
    }
    if (certificate) {
      const { raw, subject, publicKey } = new X509Certificate(certificates[certificate]);
      known.thumbprint = createHash('sha256').update(raw).digest('base64url');
      registered.tls_client_certificate_bound_access_tokens = true;
      if (method === 'tls_client_auth') registered.tls_client_auth_subject_dn = subject;
      if (method === 'self_signed_tls_client_auth') {
        keys.push({ ...publicKey.export({ format: 'jwk' }), x5c: [raw.toString('base64')] });
      }
    }
    if (keys.length > 0) registered.jwks = { keys };
    if (method.startsWith('client_secret')) {
      // Long enough for HS512, with characters that HTTP Basic has to escape.
      known.secret = `${randomBytes(64).toString('base64')}:% +`;
      registered.client_secret = known.secret;
    }
    made.push({ registered: JSON.parse(JSON.stringify(registered)), known });
  }

  for (const alg of ASYMMETRIC) add(`private-key-jwt-${alg.toLowerCase()}`, 'private_key_jwt', alg, alg);
  for (const alg of HMAC) add(`client-secret-jwt-${alg.toLowerCase()}`, 'client_secret_jwt', alg, alg);
  add('client-secret-basic', 'client_secret_basic', undefined, 'RS256');
  add('client-secret-post', 'client_secret_post', undefined, 'ES256');
  add('public', 'none', undefined, 'EdDSA');

  add('tls-client-auth', 'tls_client_auth', undefined, 'ES256', { certificate: 'client' });
  add('self-signed-tls-client-auth', 'self_signed_tls_client_auth', undefined, 'ES256', { certificate: 'self-signed' });
  // The certificate is not its authentication: it is shown at the token endpoint alone.
  add('bound-private-key-jwt', 'private_key_jwt', 'ES256', 'ES256', { certificate: 'self-signed' });

  for (const alg of ASYMMETRIC) add(`signed-${alg.toLowerCase()}`, 'private_key_jwt', alg, 'ES256', { signed: alg });
  // The key for requests is the only one.
  add('signed-client-secret-basic', 'client_secret_basic', undefined, 'ES256', { signed: 'ES256' });
  add('user-code', 'private_key_jwt', 'ES256', 'ES256', { userCode: true });
  add('signed-user-code', 'private_key_jwt', 'ES256', 'ES256', { signed: 'ES256', userCode: true });

  for (const [adapter, endpoint] of Object.entries(endpoints)) {
    add(`ping-${adapter}`, 'private_key_jwt', 'ES256', 'ES256', { endpoint });
    add(`ping-secret-${adapter}`, 'client_secret_basic', undefined, 'RS256', { endpoint });
    // As FAPI-CIBA has it, both ways of authentication.
    add(`fapi-jwt-${adapter}`, 'private_key_jwt', 'PS256', 'PS256', { endpoint, signed: 'PS256', certificate: 'client' });
    add(`fapi-tls-${adapter}`, 'tls_client_auth', undefined, 'PS256', {
      endpoint, signed: 'PS256', certificate: 'client', userCode: true,
    });
  }
  return made;
}
