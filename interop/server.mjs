// The provider: npm oidc-provider with CIBA switched on, over HTTPS on free loopback ports: one for everybody, one that asks
// for client certificates. Takes the folder that tls.mjs filled, the scheme of the first port (https unless given), and for how
// many seconds that port keeps a connection on which nothing happens (5 unless given).
//
// Writes clients.json there (what the tests need to be each client), a line into `sent` for each ping, and, once it listens,
// `env`.
import { appendFileSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer as createPlainServer } from 'node:http';
import { createServer } from 'node:https';
import { join } from 'node:path';

import { errors, Provider } from 'oidc-provider';

import { ALGORITHMS, ASYMMETRIC, PEOPLE, RESOURCES, SCOPES, USER_CODE, clients, signingKeys } from './config.mjs';
import { address, freeAddress, listening } from './net.mjs';
import { Storage } from './storage.mjs';

const [run, scheme = 'https', keepsFor = '5'] = process.argv.slice(2);
const pem = (name) => readFileSync(join(run, name), 'utf8');

let handler;

function answer(request, response) {
  response.on('finish', () => console.log(request.method, request.url, response.statusCode));
  handler(request, response);
}

const tls = { key: pem('server.key'), cert: pem('server.pem') };
const own = scheme === 'http' ? createPlainServer(answer) : createServer(tls, answer);
own.keepAliveTimeout = Number(keepsFor) * 1000;
const server = await listening(own, Number(process.env.PORT ?? 0));
// Any certificate or none gets through the handshake: the provider judges.
const asking = { ...tls, ca: pem('ca.pem'), requestCert: true, rejectUnauthorized: false };
const mutual = address(await listening(createServer(asking, answer)));
const issuer = address(server, scheme);

const endpoints = {
  reqwest: `${await freeAddress()}/ciba/notify`,
  ureq: `${await freeAddress()}/ciba/notify`,
};
const registered = clients({ client: pem('client.pem'), 'self-signed': pem('self-signed.pem') }, endpoints);

let generation = 0;
let provider;

function rotate() {
  generation += 1;
  // Keys are fixed for the life of an instance; the storage is shared, so flows outlive the one that began them.
  provider = new Provider(issuer, configuration(signingKeys(generation)));
  provider.on('server_error', (ctx, error) => console.error(error));
  provider.on('grant.error', (ctx, error) => {
    if (error.error === 'authorization_pending') pending(ctx.oidc.params.auth_req_id);
  });
  provider.use(async (ctx, next) => {
    await next();
    // oidc-provider itself names none.
    const interval = PEOPLE[ctx.oidc?.params?.login_hint]?.interval;
    if (ctx.status === 200 && ctx.body?.auth_req_id && interval) ctx.body = { ...ctx.body, interval };
  });
  handler = provider.callback();
  console.log(`keys of generation ${generation}`);
}

/** Notes when a ping left, in Unix milliseconds. The provider itself would call no loopback address. */
function send(url, { dispatcher, ...options }) {
  const sent = performance.timeOrigin + performance.now();
  const answered = fetch(url, options);
  appendFileSync(join(run, 'sent'), `${sent}\n`);
  return answered;
}

function configuration(jwks) {
  return {
    jwks,
    adapter: Storage,
    clients: registered.map((client) => client.registered),
    clientAuthMethods: [
      'private_key_jwt', 'client_secret_jwt', 'client_secret_basic', 'client_secret_post', 'none',
      'tls_client_auth', 'self_signed_tls_client_auth',
    ],
    enabledJWA: {
      clientAuthSigningAlgValues: ALGORITHMS,
      idTokenSigningAlgValues: ALGORITHMS,
      requestObjectSigningAlgValues: ASYMMETRIC,
    },
    scopes: ['openid'],
    acrValues: ['urn:example:high'],
    claims: { openid: ['sub'], acr: null, auth_time: null },
    cookies: { keys: ['interop'] },
    fetch: send,
    discovery: {
      mtls_endpoint_aliases: {
        backchannel_authentication_endpoint: `${mutual}/backchannel`,
        token_endpoint: `${mutual}/token`,
      },
    },
    ttl: {
      BackchannelAuthenticationRequest: (ctx) => Number(ctx?.oidc?.params?.requested_expiry ?? 120),
      IdToken: 300,
      AccessToken: 300,
      Grant: 600,
    },
    async findAccount(ctx, id) {
      return id in PEOPLE ? { accountId: id, claims: () => ({ sub: id }) } : undefined;
    },
    features: {
      devInteractions: { enabled: false },
      requestObjects: { enabled: true },
      mTLS: {
        enabled: true,
        certificateBoundAccessTokens: true,
        tlsClientAuth: true,
        selfSignedTlsClientAuth: true,
        getCertificate: (ctx) => ctx.socket.getPeerX509Certificate()?.toString(),
        certificateAuthorized: (ctx) => ctx.socket.authorized,
        certificateSubjectMatches: (ctx, property, expected) =>
          property === 'tls_client_auth_subject_dn' && ctx.socket.getPeerX509Certificate().subject === expected,
      },
      resourceIndicators: {
        enabled: true,
        // Rich authorization requests need a resource here, and an access token has one at most.
        defaultResource: async (ctx, client, oneOf) => oneOf?.at(-1) ?? (ctx.oidc.params.authorization_details && RESOURCES[0]),
        useGrantedResource: async () => true,
        async getResourceServerInfo(ctx, resource) {
          if (!RESOURCES.includes(resource)) throw new errors.InvalidTarget();
          // As a JWT, so that the tests can look into it.
          return { scope: SCOPES.join(' '), audience: resource, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } } };
        },
      },
      richAuthorizationRequests: {
        enabled: true,
        types: {
          payment: {
            validate(ctx, detail) {
              if (!(detail.amount > 0)) throw new errors.InvalidAuthorizationDetails('amount is missing');
            },
          },
        },
        authorizationDetailsForAccessToken: (ctx, token, source) => source.rar,
      },
      ciba: {
        enabled: true,
        deliveryModes: ['poll', 'ping'],
        async processLoginHint(ctx, hint) {
          return hint in PEOPLE ? hint : undefined;
        },
        async validateBindingMessage(ctx, message) {
          if (message !== undefined && message.length > 64) throw new errors.InvalidBindingMessage('too long');
        },
        async validateRequestContext() {},
        async verifyUserCode(ctx, account, code) {
          if (!ctx.oidc.client.backchannelUserCodeParameter) return;
          if (code === undefined) throw new errors.MissingUserCode();
          if (code !== USER_CODE) throw new errors.InvalidUserCode();
        },
        async triggerAuthenticationDevice(ctx, request, account) {
          const person = PEOPLE[account.accountId];
          if (!person) return;
          if (person.pending) {
            counted.set(request.jti, { person, left: person.pending });
            return;
          }
          const decided = () => decide(request.jti, person);
          // The acknowledgement leaves when this is over.
          if (person.after === undefined) await decided();
          else setTimeout(() => decided().catch(console.error), person.after);
        },
      },
    },
  };
}

/** Flows of people who approve after so many pending answers. */
const counted = new Map();

function pending(id) {
  const flow = counted.get(id);
  if (!flow || --flow.left > 0) return;
  counted.delete(id);
  decide(id, flow.person).catch(console.error);
}

async function decide(id, person) {
  if (person.rotates) rotate();
  if (!person.approves) {
    return provider.backchannelResult(id, new errors.AccessDenied('the person said no'));
  }
  const request = await provider.BackchannelAuthenticationRequest.find(id);
  const grant = new provider.Grant({ clientId: request.clientId, accountId: request.accountId });
  grant.addOIDCScope('openid');
  for (const resource of [request.resource ?? []].flat()) grant.addResourceScope(resource, SCOPES.join(' '));
  await grant.save();
  const details = request.params.authorization_details;
  return provider.backchannelResult(id, grant, {
    acr: 'urn:example:high',
    authTime: Math.floor(Date.now() / 1000),
    // More than was asked for: what counts is what was granted.
    rar: details && JSON.parse(details).map((detail) => ({ ...detail, from: 'savings' })),
  });
}

rotate();
writeFileSync(join(run, 'sent'), '');
writeFileSync(join(run, 'clients.json'), JSON.stringify(registered.map((client) => client.known), null, 1), { mode: 0o600 });
// Renamed into place, so that a reader sees all of it or nothing.
writeFileSync(join(run, 'env.new'), `CIBA_INTEROP_ISSUER=${issuer}\nCIBA_INTEROP_RUN=${run}\n`);
renameSync(join(run, 'env.new'), join(run, 'env'));
