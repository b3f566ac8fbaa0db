// The provider: npm oidc-provider with CIBA switched on, over HTTPS on a free loopback port.
//
// Writes .run/clients.json (what the tests need to be each client), .run/ca.pem, and, once it listens, .run/env.
import { createServer } from 'node:https';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { errors, Provider } from 'oidc-provider';

import { ALGORITHMS, PEOPLE, clients, signingKeys } from './config.mjs';
import { Storage } from './storage.mjs';
import { certificates } from './tls.mjs';

const run = join(dirname(fileURLToPath(import.meta.url)), '.run');
mkdirSync(run, { recursive: true, mode: 0o700 });
const tls = certificates(run);
const registered = clients();

let issuer;
let generation = 0;
let provider;
let handler;

function rotate() {
  generation += 1;
  // Keys are fixed for the life of an instance; the storage is shared, so flows outlive the one that began them.
  provider = new Provider(issuer, configuration(signingKeys(generation)));
  provider.on('server_error', (ctx, error) => console.error(error));
  handler = provider.callback();
  console.log(`keys of generation ${generation}`);
}

function configuration(jwks) {
  return {
    jwks,
    adapter: Storage,
    clients: registered.map((client) => client.registered),
    clientAuthMethods: ['private_key_jwt', 'client_secret_jwt', 'client_secret_basic', 'client_secret_post', 'none'],
    enabledJWA: { clientAuthSigningAlgValues: ALGORITHMS, idTokenSigningAlgValues: ALGORITHMS },
    scopes: ['openid'],
    acrValues: ['urn:example:high'],
    claims: { openid: ['sub'], acr: null, auth_time: null },
    cookies: { keys: ['interop'] },
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
      ciba: {
        enabled: true,
        // `ping` joins here once the tests receive one.
        deliveryModes: ['poll'],
        async processLoginHint(ctx, hint) {
          return hint in PEOPLE ? hint : undefined;
        },
        async validateBindingMessage(ctx, message) {
          if (message !== undefined && message.length > 64) throw new errors.InvalidBindingMessage('too long');
        },
        async validateRequestContext() {},
        async verifyUserCode() {},
        async triggerAuthenticationDevice(ctx, request, account) {
          const person = PEOPLE[account.accountId];
          if (person) setTimeout(() => decide(request.jti, person).catch(console.error), person.after + 100);
        },
      },
    },
  };
}

async function decide(id, person) {
  if (person.rotates) rotate();
  if (!person.approves) {
    return provider.backchannelResult(id, new errors.AccessDenied('the person said no'));
  }
  const request = await provider.BackchannelAuthenticationRequest.find(id);
  const grant = new provider.Grant({ clientId: request.clientId, accountId: request.accountId });
  grant.addOIDCScope('openid');
  await grant.save();
  return provider.backchannelResult(id, grant, { acr: 'urn:example:high', authTime: Math.floor(Date.now() / 1000) });
}

const server = createServer({ key: tls.key, cert: tls.cert }, (request, response) => {
  response.on('finish', () => console.log(request.method, request.url, response.statusCode));
  handler(request, response);
});
server.listen(Number(process.env.PORT ?? 0), '127.0.0.1', () => {
  issuer = `https://127.0.0.1:${server.address().port}`;
  rotate();
  writeFileSync(join(run, 'clients.json'), JSON.stringify(registered.map((client) => client.known), null, 1), { mode: 0o600 });
  // Renamed into place, so that a reader sees all of it or nothing.
  writeFileSync(join(run, 'env.new'), [
    `CIBA_INTEROP_ISSUER=${issuer}`, `CIBA_INTEROP_CA=${tls.ca}`, `CIBA_INTEROP_CLIENTS=${join(run, 'clients.json')}`, '',
  ].join('\n'));
  renameSync(join(run, 'env.new'), join(run, 'env'));
});
