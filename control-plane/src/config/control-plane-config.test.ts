import { FleetError } from '@fleetloop/schemas';
import { describe, expect, it } from 'vitest';
import { configReference, parseControlPlaneConfig, withoutSecrets } from './control-plane-config.ts';

const CONFIG = {
  nats: { url: 'nats://127.0.0.1:4222', jwt: 'jwt-secret', seedFile: '/s', accountSeedFile: '/a' },
  temporal: { address: '127.0.0.1:7233' },
  mlflow: { url: null },
  python: 'python3',
  dataDir: '/data',
  tokens: { 'token-secret': 'anna' },
};

const refusalOf = (document: unknown): FleetError => {
  try {
    parseControlPlaneConfig(document);
  } catch (error) {
    return FleetError.from(error);
  }
  throw new Error('it was accepted');
};

describe('the configuration of the control plane', () => {
  it('fills in defaults', () => {
    expect(parseControlPlaneConfig(CONFIG)).toMatchObject({
      api: { host: '127.0.0.1', port: 0 },
      temporal: { namespace: 'default' },
    });
  });

  it('refuses an unknown key and names it', () => {
    expect(refusalOf({ ...CONFIG, limits: { recordingBytesMx: 1 } })).toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('recordingBytesMx'),
    });
  });

  it('refuses limits that contradict each other', () => {
    expect(refusalOf({ ...CONFIG, limits: { recordingBytesMax: 2_000, uplinkBytesMax: 1_000 } }).code).toBe(
      'CONFIG_INVALID',
    );
  });

  it('shows no secret when it is printed', () => {
    const text = JSON.stringify(withoutSecrets(parseControlPlaneConfig(CONFIG)));
    expect(text).toContain('anna');
    expect(text).not.toContain('secret');
  });

  it('documents every value', () => {
    const reference = configReference();
    expect(reference.map(({ path }) => path)).toContain('limits.recordingBytesMax');
    expect(reference.filter(({ meaning }) => meaning === '')).toEqual([]);
  });
});
