import { describe, expect, it } from 'vitest';
import { configReference } from '../config/control-plane-config.ts';
import { parseRelayConfig, RelayConfig } from './relay-config.ts';

const CONFIG = {
  name: 'region-north',
  nats: { url: 'nats://127.0.0.1:4222', jwt: 'jwt', seedFile: '/seed' },
  dataDir: '/data',
};

describe('the configuration of a relay', () => {
  it('needs a name, a server and a folder, and fills in the rest', () => {
    expect(parseRelayConfig(CONFIG)).toMatchObject({ hubDomain: 'hub', limits: { concurrency: 4 }, logLevel: 'info' });
  });

  it.each([
    ['an unknown key', { ...CONFIG, ledger: true }],
    ['a name that is no token of a subject', { ...CONFIG, name: 'region.north' }],
    ['a recording that could never pass', { ...CONFIG, limits: { heldBytesMax: 10, recordingBytesMax: 20 } }],
  ])('is refused with %s', (_what, document) => {
    expect(() => parseRelayConfig(document)).toThrowError(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  });

  it('says what each value means', () => {
    for (const { path, meaning } of configReference(RelayConfig)) expect(meaning, path).not.toBe('');
  });
});
