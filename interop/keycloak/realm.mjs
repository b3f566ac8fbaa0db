// What Keycloak imports: one realm with its clients, its people, its signing keys and two policies. Nothing here depends on
// how it is started.
import { X509Certificate, createHash, randomBytes } from 'node:crypto';

import { keyMaker, privateJwk, publicJwk } from '../config.mjs';

export const REALM = 'interop';

/**
 * What a person does, chosen by the first word of their name: `deny.3.ureq` denies. What follows tells the person of one case
 * from that of another, because two first logins of one person at one client at the same moment break Keycloak.
 *
 * `answers` is what the entity tells Keycloak, `after` milliseconds; `accepts` is how long it takes to accept the request.
 */
export const PEOPLE = {
  approve: { answers: 'SUCCEED', after: 100 },
  'approve-later': { answers: 'SUCCEED', after: 4_000 },
  deny: { answers: 'UNAUTHORIZED', after: 100 },
  cancel: { answers: 'CANCELLED', after: 100 },
  never: {},
  // Keycloak gives up on the entity after 5 s, and cannot know whether the person was asked.
  slow: { answers: 'SUCCEED', after: 7_500, accepts: 7_000 },
};

/** How many people there are of each kind, for each adapter. */
const CASES = 20;
const ADAPTERS = ['reqwest', 'ureq'];

const AUTHENTICATORS = {
  client_secret_basic: 'client-secret',
  client_secret_post: 'client-secret',
  client_secret_jwt: 'client-secret-jwt',
  private_key_jwt: 'client-jwt',
  tls_client_auth: 'client-x509',
};

/**
 * Returns what Keycloak imports of each client and what the tests need to be that client.
 *
 * `certificates` are texts in PEM by name, `endpoints` are addresses by the name of who listens there.
 */
function clients(certificates, endpoints) {
  const made = [];
  const privateKey = keyMaker();

  function add(name, method, alg, idTokenAlg, { signed, endpoint, certificate, fapi } = {}) {
    const known = {
      client_id: name, method, alg, signed, certificate, id_token_alg: idTokenAlg,
      notification_endpoint: endpoint, user_codes: false, preset: 'keycloak', fapi: fapi ?? false,
    };
    const attributes = {
      'oidc.ciba.grant.enabled': 'true',
      'ciba.backchannel.token.delivery.mode': endpoint ? 'ping' : 'poll',
      'ciba.backchannel.client.notification.endpoint': endpoint,
      'ciba.backchannel.auth.request.signing.alg': signed,
      'token.endpoint.auth.signing.alg': alg,
      'id.token.signed.response.alg': idTokenAlg,
      'access.token.signed.response.alg': idTokenAlg,
    };
    if (method === 'private_key_jwt' || signed) {
      known.key = privateJwk(privateKey, signed ?? alg, `${name}-key`);
      attributes['use.jwks.string'] = 'true';
      attributes['jwks.string'] = JSON.stringify({ keys: [publicJwk(known.key)] });
    }
    if (certificate) {
      const { raw } = new X509Certificate(certificates[certificate]);
      known.thumbprint = createHash('sha256').update(raw).digest('base64url');
      attributes['tls.client.certificate.bound.access.tokens'] = 'true';
      attributes['x509.subjectdn'] = 'CN=ciba interop client';
    }
    if (method.startsWith('client_secret')) known.secret = `${randomBytes(48).toString('base64')}:% +`;
    made.push({
      known,
      registered: {
        clientId: name,
        enabled: true,
        publicClient: method === 'none',
        clientAuthenticatorType: AUTHENTICATORS[method],
        secret: known.secret,
        standardFlowEnabled: false,
        directAccessGrantsEnabled: false,
        attributes,
      },
      fapi,
    });
  }

  add('basic', 'client_secret_basic', undefined, 'RS256');
  add('post', 'client_secret_post', undefined, 'ES256');
  add('secret-jwt', 'client_secret_jwt', 'HS256', 'PS256');
  add('key', 'private_key_jwt', 'ES256', 'ES256');
  add('public', 'none', undefined, 'RS256');
  add('tls', 'tls_client_auth', undefined, 'ES256', { certificate: 'client' });
  add('signed-es256', 'private_key_jwt', 'ES256', 'ES256', { signed: 'ES256' });
  add('signed-ps256', 'private_key_jwt', 'PS256', 'PS256', { signed: 'PS256' });
  add('fapi-jwt', 'private_key_jwt', 'PS256', 'PS256', { signed: 'PS256', certificate: 'client', fapi: true });
  for (const [adapter, endpoint] of Object.entries(endpoints)) {
    add(`ping-${adapter}`, 'private_key_jwt', 'ES256', 'ES256', { endpoint });
    add(`ping-basic-${adapter}`, 'client_secret_basic', undefined, 'RS256', { endpoint });
    add(`fapi-tls-${adapter}`, 'tls_client_auth', undefined, 'PS256', {
      endpoint, signed: 'PS256', certificate: 'client', fapi: true,
    });
  }
  return made;
}

/** The realm, and what the tests need to be each of its clients. */
export function realm(certificates, endpoints) {
  const made = clients(certificates, endpoints);
  const people = Object.keys(PEOPLE).flatMap((kind) => ADAPTERS.flatMap((adapter) =>
    Array.from({ length: CASES }, (_, number) => `${kind}.${number}.${adapter}`)));
  const key = (name, providerId, algorithm) => ({ name, providerId, config: { algorithm: [algorithm], priority: ['100'] } });
  return {
    known: [...made.map((client) => client.known), { ...made[0].known, name: 'wrong-secret', secret: 'guessed' }],
    imported: {
      realm: REALM,
      enabled: true,
      sslRequired: 'external',
      accessTokenLifespan: 300,
      attributes: {
        cibaBackchannelTokenDeliveryMode: 'poll',
        // What an acknowledgement says, also where the client asks for less.
        cibaExpiresIn: '60',
        // 0 breaks Keycloak.
        cibaInterval: '1',
        cibaAuthRequestedUserHint: 'login_hint',
      },
      clients: made.map((client) => client.registered),
      users: people.map((name) => ({ id: name, username: name, enabled: true })),
      roles: { client: Object.fromEntries(made.filter((client) => client.fapi)
        .map((client) => [client.known.client_id, [{ name: 'fapi' }]])) },
      components: {
        'org.keycloak.keys.KeyProvider': [
          key('RS256', 'rsa-generated', 'RS256'),
          key('PS256', 'rsa-generated', 'PS256'),
          // For what Keycloak encrypts and signs for itself: without them, two first requests make two keys, and one is lost.
          { name: 'AES', providerId: 'aes-generated', config: { secretSize: ['16'], priority: ['100'] } },
          key('HS512', 'hmac-generated', 'HS512'),
          { name: 'ES256', providerId: 'ecdsa-generated', config: { ecdsaEllipticCurveKey: ['P-256'], priority: ['100'] } },
        ],
      },
      // Keycloak's own profiles, for the clients that have the role.
      clientPolicies: {
        policies: [{
          name: 'fapi',
          enabled: true,
          conditions: [{ condition: 'client-roles', configuration: { roles: ['fapi'] } }],
          profiles: ['fapi-1-advanced', 'fapi-ciba'],
        }],
      },
    },
  };
}
