// Addresses on free loopback ports, for what is started now and for what the tests start later.
import { createServer } from 'node:net';

/** The address of a listener. */
export const address = (server, scheme = 'https') => `${scheme}://127.0.0.1:${server.address().port}`;

export const listening = (server, port = 0) => new Promise((done) => server.listen(port, '127.0.0.1', () => done(server)));

/** An address whose port is free now. */
export async function freeAddress() {
  const socket = await listening(createServer());
  const free = address(socket);
  await new Promise((done) => socket.close(done));
  return free;
}
