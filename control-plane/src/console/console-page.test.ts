/** The console is one page without a build step, so nothing else would notice a script that does not parse. */
import { Script } from 'node:vm';
import Fastify from 'fastify';
import { describe, expect, it } from 'vitest';
import { registerConsoleRoutes } from './console-routes.ts';

describe('the console', () => {
  it('is served at / without a token and holds a script that parses', async () => {
    const app = Fastify();
    registerConsoleRoutes(app);
    const { statusCode, headers, body } = await app.inject({ url: '/' });
    expect(statusCode).toBe(200);
    expect(headers['content-type']).toContain('text/html');
    const script = /<script type="module">([\s\S]*)<\/script>/.exec(body)?.[1] ?? '';
    expect(script.length).toBeGreaterThan(100);
    expect(() => new Script(script)).not.toThrow();
  });
});
