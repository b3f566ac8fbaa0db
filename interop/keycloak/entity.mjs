// The authentication entity: what Keycloak asks to ask the person, and what calls back with the answer.
// `node entity.mjs RUN` takes the folder that tls.mjs filled.
//
// Writes there, in this order: realm.json (what Keycloak imports), clients.json (what the tests need to be each client),
// `addresses` (what Keycloak has to be started with) and, once Keycloak answers, `env`.
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { request } from 'node:https';
import { join } from 'node:path';

import { address, freeAddress, listening } from '../net.mjs';
import { PEOPLE, REALM, realm } from './realm.mjs';

const run = process.argv[2];
const pem = (name) => readFileSync(join(run, name), 'utf8');

/** Renamed into place, so that a reader sees all of it or nothing. */
function write(name, text) {
  writeFileSync(join(run, `${name}.new`), text, { mode: 0o600 });
  renameSync(join(run, `${name}.new`), join(run, name));
}

const sleep = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

const keycloak = await freeAddress();
const issuer = `${keycloak}/realms/${REALM}`;

async function bodyOf(message) {
  let text = '';
  for await (const part of message.setEncoding('utf8')) text += part;
  return text;
}

/** Status and body of an answer of Keycloak. */
function ask(method, url, headers = {}, body = undefined) {
  return new Promise((done, failed) => {
    const asked = request(url, { method, headers, ca: pem('ca.pem') }, async (answer) => {
      done([answer.statusCode, await bodyOf(answer)]);
    });
    asked.on('error', failed);
    asked.end(body);
  });
}

/** Until Keycloak has kept the request, it refuses what comes back as unknown: on a busy machine that takes a while. */
async function callBack(authorization, status) {
  const headers = { authorization, 'content-type': 'application/json' };
  for (let tries = 0; tries < 20; tries += 1) {
    const [code] = await ask('POST', `${issuer}/protocol/openid-connect/ext/ciba/auth/callback`, headers, JSON.stringify({ status }));
    console.log('told', status, code);
    if (code !== 403) return;
    await sleep(250);
  }
}

const entity = await listening(createServer(async (incoming, answer) => {
  const asked = JSON.parse(await bodyOf(incoming));
  const person = PEOPLE[asked.login_hint.split('.')[0]];
  console.log('asked', asked.login_hint, asked.binding_message);
  if (person.answers) {
    setTimeout(() => callBack(incoming.headers.authorization, person.answers).catch(console.error), person.after);
  }
  if (person.accepts) await sleep(person.accepts);
  answer.writeHead(201).end();
}));

const endpoints = {};
// The command listens by itself, beside the adapters of the tests.
for (const listens of ['reqwest', 'ureq', 'command-reqwest', 'command-ureq']) {
  endpoints[listens] = `${await freeAddress()}/ciba/notify`;
}
const { known, imported } = realm({ client: pem('client.pem') }, endpoints);
write('realm.json', JSON.stringify(imported, null, 1));
write('clients.json', JSON.stringify(known, null, 1));
write('addresses', `KEYCLOAK=${keycloak}\nENTITY=${address(entity, 'http')}/ask\n`);

for (;;) {
  const [status] = await ask('GET', `${issuer}/.well-known/openid-configuration`).catch(() => [0]);
  if (status === 200) break;
  await sleep(100);
}
write('env', `CIBA_INTEROP_ISSUER=${issuer}\nCIBA_INTEROP_RUN=${run}\n`);
