import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { FleetError, type OpaqueChannel, type SignalChannel, type SourceMessage } from '@fleetloop/schemas';
import fc from 'fast-check';
import { evenly } from '@fleetloop/schemas/testing';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { sharpImageBlanker } from '../adapters/sharp-image-blanker.ts';
import { roundTo } from './redaction-json.ts';
import { RedactionRules } from './redaction-rules.ts';
import { Redactor } from './redactor.ts';

const LOCATION: SignalChannel = {
  kind: 'signal',
  topic: '/vss/Vehicle.CurrentLocation',
  signals: [
    { path: 'Vehicle.CurrentLocation.Latitude', field: 'latitude', unit: 'degrees' },
    { path: 'Vehicle.CurrentLocation.Altitude', field: 'altitude', unit: 'm' },
  ],
};
const json = (topic: string): OpaqueChannel => ({
  kind: 'opaque',
  topic,
  schemaName: 'any',
  encoding: { messageEncoding: 'json', schemaEncoding: '', schemaData: new Uint8Array(0) },
});
const HEADER = { sequence: 0, logTimeNs: 5_000_000_000n, publishTimeNs: 5_000_000_000n };
const KEY = new TextEncoder().encode('a key of this fleet');
const FRAME = readFileSync(fileURLToPath(new URL('fixtures/solidWhiteCurve.jpg', import.meta.url)));

function redactor(rules: unknown, failures: string[] = []): Redactor {
  return new Redactor({
    rules: RedactionRules.parse(rules),
    hashKey: KEY,
    blanker: sharpImageBlanker,
    onFailure: (rule, topic, error) => failures.push(`${rule} ${topic} ${error.code}`),
  });
}

const opaque = (channel: OpaqueChannel, data: Uint8Array): SourceMessage => ({
  kind: 'opaque',
  channel,
  ...HEADER,
  data,
});
const text = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const parsed = (message: SourceMessage | undefined): unknown =>
  message?.kind === 'opaque' ? JSON.parse(new TextDecoder().decode(message.data)) : undefined;

describe('Redactor', () => {
  it('rounds a location and leaves the other signals of the channel and the original message alone', async () => {
    const rule = { kind: 'round', name: 'place', paths: ['Vehicle.CurrentLocation.Latitude'], step: 0.01 };
    const message: SourceMessage = {
      kind: 'signal',
      channel: LOCATION,
      ...HEADER,
      values: Float64Array.of(46.81234, 99.5),
    };
    const redacted = await redactor([rule]).apply(message);
    expect(redacted?.kind === 'signal' && [...redacted.values]).toEqual([46.81, 99.5]);
    expect([...message.values]).toEqual([46.81234, 99.5]);
  });

  it('drops topics by their beginning and single signals by their path', async () => {
    const rules = [
      { kind: 'drop', name: 'cabin', topics: ['/sensor/cabin/*'] },
      { kind: 'drop', name: 'height', paths: ['Vehicle.CurrentLocation.Altitude'] },
    ];
    const dropper = redactor(rules);
    expect(await dropper.apply(opaque(json('/sensor/cabin/microphone'), text({})))).toBeUndefined();
    expect(await dropper.apply(opaque(json('/sensor/front/camera'), text({})))).toBeDefined();
    const kept = await dropper.apply({ kind: 'signal', channel: LOCATION, ...HEADER, values: Float64Array.of(1, 2) });
    expect(kept?.kind === 'signal' && [...kept.values]).toEqual([1, Number.NaN]);
  });

  it('hashes identifiers with its key, equal ones to equal texts, in payloads and attributes', async () => {
    const rule = {
      kind: 'hash',
      name: 'who',
      topics: ['/id'],
      fields: ['driver.id', 'list.vin'],
      attributes: ['driver'],
    };
    const hasher = redactor([rule]);
    const message = opaque(
      json('/id'),
      text({ driver: { id: 'D-7', age: 40 }, list: [{ vin: 'A' }, { vin: 'B' }], other: 1 }),
    );
    const result = parsed(await hasher.apply(message)) as {
      driver: { id: string; age: number };
      list: { vin: string }[];
      other: number;
    };
    expect(result.driver.id).toMatch(/^[0-9a-f]{32}$/);
    expect(result.driver.age).toBe(40);
    expect(result.other).toBe(1);
    expect(new Set(result.list.map(({ vin }) => vin)).size).toBe(2);
    expect(hasher.attributes({ driver: 'D-7', place: 'x' })).toEqual({ driver: result.driver.id, place: 'x' });
  });

  it('blanks a region of a real frame and leaves the rest of the picture as it was', async () => {
    const rule = {
      kind: 'blank',
      name: 'plates',
      topics: ['/camera'],
      regions: [{ x: 0.25, y: 0.5, width: 0.25, height: 0.25 }],
    };
    const redacted = await redactor([rule]).apply(opaque(json('/camera'), FRAME));
    const pixels = async (bytes: Uint8Array, left: number, top: number): Promise<number> => {
      const raw = await sharp(bytes).extract({ left, top, width: 64, height: 64 }).raw().toBuffer();
      return raw.reduce((sum, value) => sum + value, 0) / raw.length;
    };
    const data = redacted?.kind === 'opaque' ? redacted.data : new Uint8Array(0);
    expect((await sharp(data).metadata()).width).toBe(960);
    expect(await pixels(data, 260, 300)).toBeLessThan(3);
    expect(await pixels(FRAME, 260, 300)).toBeGreaterThan(50);
    expect(Math.abs((await pixels(data, 700, 100)) - (await pixels(FRAME, 700, 100)))).toBeLessThan(6);
  });

  it('blanks the image inside a foxglove.CompressedImage and keeps its other fields', async () => {
    const channel: OpaqueChannel = { ...json('/camera'), schemaName: 'foxglove.CompressedImage' };
    const length = [(FRAME.length & 0x7f) | 0x80, ((FRAME.length >> 7) & 0x7f) | 0x80, FRAME.length >> 14];
    const message = Buffer.concat([
      Buffer.from([0x22, 1, 0x61, 0x12, ...length]),
      FRAME,
      Buffer.from([0x1a, 4]),
      Buffer.from('jpeg'),
    ]);
    const rule = { kind: 'blank', name: 'all', topics: ['/camera'], regions: [{ x: 0, y: 0, width: 1, height: 1 }] };
    const redacted = await redactor([rule]).apply(opaque(channel, message));
    const data = Buffer.from(redacted?.kind === 'opaque' ? redacted.data : []);
    expect(data.subarray(0, 4)).toEqual(message.subarray(0, 4));
    expect(data.subarray(-6)).toEqual(message.subarray(-6));
    expect(data.length).toBeLessThan(FRAME.length / 2);
  });

  it('keeps out what a rule cannot be applied to, and says so', async () => {
    const failures: string[] = [];
    const rules = [
      { kind: 'hash', name: 'who', topics: ['/id'], fields: ['a'] },
      { kind: 'blank', name: 'plates', topics: ['/camera'], regions: [{ x: 0, y: 0, width: 1, height: 1 }] },
    ];
    const strict = redactor(rules, failures);
    expect(await strict.apply(opaque(json('/id'), Uint8Array.of(0xff)))).toBeUndefined();
    expect(await strict.apply(opaque(json('/camera'), text({ not: 'an image' })))).toBeUndefined();
    expect(await strict.apply(opaque(json('/camera'), FRAME.subarray(0, 40)))).toBeUndefined();
    expect(failures).toEqual([
      'who /id RECORD_REDACTION',
      'plates /camera RECORD_REDACTION',
      'plates /camera RECORD_REDACTION',
    ]);
    expect(strict.failures).toBe(3);
  });

  it('says per recording what was applied, and to how many messages', async () => {
    const rule = { kind: 'drop', name: 'cabin', topics: ['/x'] };
    const dropper = redactor([rule]);
    for (let second = 0n; second < 10n; second += 1n)
      await dropper.apply({ ...opaque(json('/x'), text({})), logTimeNs: second * 1_000_000_000n });
    expect(dropper.between(2_000_000_000n, 4_000_000_000n)).toEqual([
      { rule: 'cabin', kind: 'drop', topic: '/x', messages: 3 },
    ]);
    expect(dropper.between(20_000_000_000n, 40_000_000_000n)).toEqual([]);
  });

  it('rounds lists of numbers, and keeps out a number that comes as a text', async () => {
    const failures: string[] = [];
    const rule = { kind: 'round', name: 'place', topics: ['/at'], fields: ['at'], step: 1 };
    const rounder = redactor([rule], failures);
    const listed = await rounder.apply(opaque(json('/at'), text({ at: [46.8, [7.1]], other: 1.5 })));
    expect(parsed(listed)).toEqual({ at: [47, [7]], other: 1.5 });
    expect(parsed(await rounder.apply(opaque(json('/at'), text({ at: null }))))).toEqual({ at: null });
    for (const at of ['46.81', { degrees: 46.81 }, true])
      expect(await rounder.apply(opaque(json('/at'), text({ at })))).toBeUndefined();
    expect(failures).toEqual(Array.from({ length: 3 }, () => 'place /at RECORD_REDACTION'));
  });

  it('knows the paths whose values are not to be said either, by name and by a topic that is dropped', async () => {
    const rules = [
      { kind: 'round', name: 'place', paths: ['Vehicle.CurrentLocation.Latitude'], step: 0.01 },
      { kind: 'drop', name: 'all', topics: ['/vss/Vehicle.Cur*'] },
    ];
    const strict = redactor(rules);
    expect(strict.covers('Vehicle.CurrentLocation.Latitude')).toBe(true);
    expect(strict.covers('Vehicle.CurrentLocation.Altitude')).toBe(false);
    await strict.apply({ kind: 'signal', channel: LOCATION, ...HEADER, values: Float64Array.of(1, 2) });
    expect(strict.covers('Vehicle.CurrentLocation.Altitude')).toBe(true);
    expect(strict.covers('Vehicle.Speed')).toBe(false);
  });

  it('says that it hashed attributes of the session, in each recording of it', () => {
    const hasher = redactor([{ kind: 'hash', name: 'who', attributes: ['driver'] }]);
    hasher.attributes({ driver: 'D-7' });
    hasher.startSession();
    expect(hasher.between(0n, 1n)).toEqual([{ rule: 'who', kind: 'hash', topic: 'fleet.session', messages: 0 }]);
    hasher.attributes({ place: 'x' });
    expect(hasher.between(0n, 1n)).toEqual([]);
  });

  it('does not start with a rule that hashes and no key', () => {
    const rules = RedactionRules.parse([{ kind: 'hash', name: 'who', attributes: ['driver'] }]);
    const without = (): Redactor =>
      new Redactor({ rules, hashKey: undefined, blanker: sharpImageBlanker, onFailure: () => {} });
    expect(without).toThrow(FleetError);
  });

  it('never lets a payload with a covered field through unchanged, whatever the JSON is', async () => {
    const hasher = redactor([{ kind: 'hash', name: 'who', topics: ['/id'], fields: ['secret'] }]);
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.string(), fc.jsonValue()), fc.string(), async (rest, secret) => {
        const redacted = await hasher.apply(opaque(json('/id'), text({ ...rest, secret })));
        expect((parsed(redacted) as { secret: string }).secret).toMatch(/^[0-9a-f]{32}$/);
      }),
    );
  });

  it('rounds to a multiple of the step that is at most half a step away', () => {
    fc.assert(
      fc.property(evenly(-180, 180), fc.constantFrom(0.001, 0.01, 0.5, 1), (value, step) => {
        const rounded = roundTo(value, step);
        expect(Math.abs(rounded - value)).toBeLessThanOrEqual(step / 2 + 1e-9);
        expect(Math.abs(rounded / step - Math.round(rounded / step))).toBeLessThan(1e-6);
      }),
    );
  });
});
