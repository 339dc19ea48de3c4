import { statusText } from '@fleetloop/schemas';
import { describe, expect, it } from 'vitest';
import { toPlain } from './plain.ts';
import { STATUS } from './status-testbed.ts';

describe('the text of a status', () => {
  it('says how each stage is, as it came over the socket', () => {
    const text = statusText(JSON.parse(JSON.stringify(toPlain(STATUS))));
    expect(text?.split('\n')).toEqual([
      'vehicle-1  agent 1.0.0, hardware A, up 1 h 2 min, 60.0 MiB of memory',
      'capture   live, session live/1, 1000 messages on 1 topics',
      '          /vss/Vehicle frozen: Vehicle.Speed stands still',
      '          /sensor/front/camera silent: nothing for 3.0 s',
      '          4 messages kept out, because a redaction rule could not be applied',
      'campaign  refused v2 refused: SIGNAL_UNKNOWN: no such signal',
      'campaign  fast v1 active, fired 2 of 900',
      'record    0 events open, 1 being written, 0 lost; ring 2.0 MiB',
      'spool     2 recordings, 1.0 MiB of 10.0 MiB; disk evicting, 100.0 MiB free',
      '          5 verified, 1 refused, 3 given up (2 not told yet)',
      'uplink    connected, metered, 0.5 MiB/s, 0.0 MiB in flight',
      '          safety: 0 recordings, 0.0 MiB wait, no daily limit',
      '          normal: 2 recordings, 1.0 MiB wait, 1.0 MiB left today',
      '          bulk: 0 recordings, 0.0 MiB wait, 0.0 MiB left today',
      '          bulk is held: UPLINK_BUSY: busy',
      'model     slot A, 50 inferences, 1 deadline misses',
      '          norms v1: 50 vectors, the newest 1200 ms old, at most 0.31 ms of 20 ms, 2 over budget',
      '',
    ]);
  });

  it('says why there is no link', () => {
    const link = { isConnected: false, refusal: { code: 'UPLINK_FORBIDDEN', message: 'revoked' } };
    const uplink = { ...STATUS.uplink, link };
    expect(statusText(toPlain({ ...STATUS, uplink }))).toContain(
      'uplink    refused (UPLINK_FORBIDDEN: revoked), metered',
    );
    expect(statusText(toPlain({ ...STATUS, uplink: { ...uplink, link: { ...link, refusal: null } } }))).toContain(
      'no link',
    );
  });

  it.each([
    [999, '0 s'],
    [59_000, '59 s'],
    [60_000, '1 min'],
    [3_599_000, '59 min'],
    [90_000_000, '25 h 0 min'],
  ])('gives %i ms as %s', (uptimeMs, text) => {
    expect(statusText(toPlain({ ...STATUS, uptimeMs }))).toContain(`up ${text},`);
  });

  it('is none for what is not a status', () => {
    expect(statusText({ kind: 'agent-status' })).toBeUndefined();
    expect(statusText('fine')).toBeUndefined();
  });

  it('does not steer the terminal, whatever the vehicle says', () => {
    const finding = { ...STATUS.capture.findings[0], detail: '\u001B[2J\rall is well\ncampaign  fast v1 active' };
    const text = statusText(toPlain({ ...STATUS, capture: { ...STATUS.capture, findings: [finding] } }));
    expect(text).toContain('frozen:  [2J all is well campaign  fast v1 active\n');
  });
});
