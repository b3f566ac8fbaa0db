// The client that the benchmarks compare with: npm openid-client, as its documentation shows it. Takes the folder of a run of
// server.mjs and reads one command a line from standard input, see benches/src/bin/flows.rs; answers each with a line of JSON.
import { webcrypto } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as after } from 'node:timers/promises';

import * as client from 'openid-client';

const run = process.argv[2];
const read = (name) => readFileSync(join(run, name), 'utf8');
const issuer = new URL(/^CIBA_INTEROP_ISSUER=(.*)$/m.exec(read('env'))[1]);
const secure = issuer.protocol === 'https:';
const name = secure ? 'private-key-jwt-es256' : 'client-secret-basic';
const known = JSON.parse(read('clients.json')).find((one) => one.client_id === name);

const authentication = secure
  ? client.PrivateKeyJwt({
      key: await webcrypto.subtle.importKey('jwk', known.key, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']),
      kid: known.key.kid,
    })
  : client.ClientSecretBasic(known.secret);
const config = await client.discovery(
  issuer,
  name,
  { id_token_signed_response_alg: known.id_token_alg },
  authentication,
  {
    // Without this it does not look at the signature of the ID Token.
    execute: [client.enableNonRepudiationChecks, ...(secure ? [] : [client.allowInsecureRequests])],
  },
);

let tokenRequests = 0;
config[client.customFetch] = (url, options) => {
  if (String(url).endsWith('/token')) tokenRequests += 1;
  return fetch(url, options);
};

const ask = (hint) =>
  client.initiateBackchannelAuthentication(config, { scope: 'openid', login_hint: hint, binding_message: 'W4SCT' });

async function flow() {
  const tokens = await client.pollBackchannelAuthenticationGrant(config, await ask('approve-third'));
  if (tokens.claims().sub !== 'approve-third') throw new Error('another person');
}

async function flows(count, atOnce) {
  let left = count;
  const worker = async () => {
    while (left-- > 0) await flow();
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

let abandoned;

/** Starts flows that nobody answers, spread over a time. */
async function pending(count, seconds) {
  abandoned = new AbortController();
  const { signal } = abandoned;
  // One listener for each flow, on purpose.
  setMaxListeners(0, signal);
  for (let begun = 0; begun < count; begun += 1) {
    const asked = ask('never').then((answer) => client.pollBackchannelAuthenticationGrant(config, answer, {}, { signal }));
    asked.catch((error) => {
      if (signal.aborted) return;
      console.error(error);
      process.exit(1);
    });
    await after((seconds * 1000) / count);
  }
}

const actions = { flows, pending, wait: (seconds) => after(seconds * 1000), abandon: () => abandoned.abort() };

for await (const line of createInterface({ input: process.stdin })) {
  const [action, ...numbers] = line.split(' ');
  const before = { cpu: process.cpuUsage(), tokenRequests };
  await actions[action](...numbers.map(Number));
  const { user, system } = process.cpuUsage(before.cpu);
  console.log(JSON.stringify({ cpu_us: user + system, token_requests: tokenRequests - before.tokenRequests }));
}
process.exit();
