/** Why: two stacks run beside each other, so no port is fixed; the kernel names ports that nobody uses. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';

/** Loopback only: a local stack is not for other machines. */
export const LOCAL_HOST = '127.0.0.1';

/**
 * Names `count` TCP ports that are free now and different from each other. They are held together until all are known;
 * another program could still take one before its server starts, which then fails and says so.
 */
export async function findFreePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(Array.from({ length: count }, listenAnywhere));
  const ports = servers.map(portOf);
  await Promise.all(servers.map(close));
  return ports;
}

async function listenAnywhere(): Promise<Server> {
  const server = createServer();
  server.listen(0, LOCAL_HOST);
  await once(server, 'listening');
  return server;
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a listening TCP server has an address');
  return address.port;
}

async function close(server: Server): Promise<void> {
  server.close();
  await once(server, 'close');
}
