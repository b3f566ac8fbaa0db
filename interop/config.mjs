// What the provider is told: clients, people and signing keys. Nothing here depends on how it is started.
import { randomBytes, generateKeyPairSync } from 'node:crypto';

const GRANT = 'urn:openid:params:grant-type:ciba';

/** What happens on the person's phone, chosen by the login hint. Anyone else is unknown. */
export const PEOPLE = {
  approve: { after: 0, approves: true },
  'approve-later': { after: 7_000, approves: true },
  deny: { after: 0, approves: false },
  never: null,
  // The provider gets new keys before it signs.
  rotate: { after: 0, approves: true, rotates: true },
};

const CURVES = { ES256: 'P-256', ES384: 'P-384' };

const RSA = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'];
const ASYMMETRIC = [...RSA, 'ES256', 'ES384', 'EdDSA'];
const HMAC = ['HS256', 'HS384', 'HS512'];

export const ALGORITHMS = [...HMAC, ...ASYMMETRIC];

/** Keys by kind: one RSA key serves all six RSA algorithms of an owner, because making one takes a while. */
function keyMaker() {
  let rsa;
  return (alg) => {
    if (RSA.includes(alg)) return (rsa ??= generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey);
    if (alg === 'EdDSA') return generateKeyPairSync('ed25519').privateKey;
    return generateKeyPairSync('ec', { namedCurve: CURVES[alg] }).privateKey;
  };
}

function privateJwk(privateKey, alg, kid) {
  return { ...privateKey(alg).export({ format: 'jwk' }), alg, kid, use: 'sig' };
}

/** One signing key for each algorithm; key ids differ from one generation to the next. */
export function signingKeys(generation) {
  const privateKey = keyMaker();
  return { keys: ASYMMETRIC.map((alg) => privateJwk(privateKey, alg, `${alg}-${generation}`)) };
}

/** Public members of a key, named one by one. */
function publicJwk({ kty, crv, x, y, n, e, alg, kid, use }) {
  return JSON.parse(JSON.stringify({ kty, crv, x, y, n, e, alg, kid, use }));
}

/**
 * Every client authentication with every algorithm it has, and every ID Token algorithm.
 * Returns what the provider registers and what the tests need to be that client.
 */
export function clients() {
  const made = [];
  const privateKey = keyMaker();
  const add = (name, method, alg, idTokenAlg) => {
    const registered = {
      client_id: name,
      grant_types: [GRANT],
      response_types: [],
      redirect_uris: [],
      backchannel_token_delivery_mode: 'poll',
      token_endpoint_auth_method: method,
      id_token_signed_response_alg: idTokenAlg,
    };
    const known = { client_id: name, method, id_token_alg: idTokenAlg };
    if (alg) {
      registered.token_endpoint_auth_signing_alg = alg;
      known.alg = alg;
    }
    if (method === 'private_key_jwt') {
      known.key = privateJwk(privateKey, alg, `${name}-key`);
      registered.jwks = { keys: [publicJwk(known.key)] };
    } else if (method !== 'none') {
      // Long enough for HS512, with characters that HTTP Basic has to escape.
      known.secret = `${randomBytes(64).toString('base64')}:% +`;
      registered.client_secret = known.secret;
    }
    made.push({ registered, known });
  };
  for (const alg of ASYMMETRIC) add(`private-key-jwt-${alg.toLowerCase()}`, 'private_key_jwt', alg, alg);
  for (const alg of HMAC) add(`client-secret-jwt-${alg.toLowerCase()}`, 'client_secret_jwt', alg, alg);
  add('client-secret-basic', 'client_secret_basic', undefined, 'RS256');
  add('client-secret-post', 'client_secret_post', undefined, 'ES256');
  add('public', 'none', undefined, 'EdDSA');
  return made;
}
