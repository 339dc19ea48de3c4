/** Serves the console page; the page itself holds nothing secret, what it shows it asks the API for. */
import type { FastifyInstance } from 'fastify';
import { CONSOLE_PAGE } from './console-page.ts';

export function registerConsoleRoutes(app: FastifyInstance): void {
  app.get('/', async (_request, reply) => reply.type('text/html; charset=utf-8').send(CONSOLE_PAGE));
}
