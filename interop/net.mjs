// Addresses on free loopback ports, for what is started now and for what the tests start later.
import { createServer } from 'node:net';

/** The address of a listener. */
export const address = (server, scheme = 'https') => `${scheme}://127.0.0.1:${server.address().port}`;

export const listening = (server, port = 0) => new Promise((done, failed) => {
  server.once('error', failed);
  server.listen(port, '127.0.0.1', () => done(server));
});

/**
 * An address whose port is free now, and stays so until somebody listens there: it is below those that systems hand out to
 * whoever takes any free one, also for a connection.
 */
export async function freeAddress() {
  for (;;) {
    const socket = await listening(createServer(), 20000 + Math.floor(Math.random() * 10000)).catch(() => null);
    if (!socket) continue;
    const free = address(socket);
    await new Promise((done) => socket.close(done));
    return free;
  }
}
