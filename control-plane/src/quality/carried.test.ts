/** A vehicle that stands by its own speed while its position moves: carried on a ship, or with a sensor that is dead. */
import type { OpaqueChannel } from '@fleetloop/schemas';
import { describe, expect, it } from 'vitest';
import { defaultStandard } from './default-standard.ts';
import { RecordingCheck } from './recording-check.ts';

const START_NS = 1_760_000_000_000_000_000n;
const METRES_PER_DEGREE = 111_195;
const jsonChannel = (topic: string): OpaqueChannel => ({
  kind: 'opaque',
  topic,
  schemaName: 'test',
  encoding: { messageEncoding: 'json', schemaEncoding: '', schemaData: new Uint8Array(0) },
});
const CAN = jsonChannel('/can');
const GNSS = jsonChannel('/gnss');

type Fix = { readonly lat: number; readonly lon: number };
type Motion = { readonly seconds: number; readonly speedOf: (second: number) => number; readonly from: Fix };

/** One position and one speed a second; `ownSpeedOf` is what the vehicle's own sensor says. */
function findingsOf({ seconds, speedOf, from }: Motion, ownSpeedOf: (second: number) => number) {
  const check = new RecordingCheck(defaultStandard());
  let metres = 0;
  const push = (channel: OpaqueChannel, second: number, value: object): void => {
    const logTimeNs = START_NS + BigInt(second) * 1_000_000_000n;
    const data = Buffer.from(JSON.stringify(value), 'utf8');
    check.push({ kind: 'opaque', channel, sequence: second, logTimeNs, publishTimeNs: logTimeNs, data });
  };
  for (let second = 0; second < seconds; second += 1) {
    metres += speedOf(second);
    push(CAN, second, { vehicle_speed_mps: ownSpeedOf(second) });
    push(GNSS, second, { lat: from.lat + metres / METRES_PER_DEGREE, lon: from.lon });
  }
  return check.finish({}).findings.map(({ rule, severity }) => `${severity} ${rule}`);
}

const HARBOUR = { lat: 54.5, lon: 11.2 };
const ship = (second: number): number => 8 + 0.2 * Math.sin(second / 20);
const drive = (second: number): number => 9 + 6 * Math.sin(second / 15);

describe('a vehicle whose position moves', () => {
  it('is carried when it stands and moves on steadily, which is no fault', () => {
    const onShip = { seconds: 400, speedOf: ship, from: HARBOUR };
    expect(findingsOf(onShip, () => 0)).toEqual(['info motion.carried']);
    expect(findingsOf(onShip, (second) => 0.01 * Math.sin(second))).toEqual(['info motion.carried']);
  });

  it('has a dead speed sensor when it moves as vehicles drive', () => {
    const onRoad = { seconds: 400, speedOf: drive, from: HARBOUR };
    expect(findingsOf(onRoad, () => 0)).toEqual(['warning motion.speed-disagrees']);
    expect(findingsOf(onRoad, drive)).toEqual([]);
  });

  it('may do so near 0°, 0°, while exactly there it has no fix', () => {
    const nearNull = { seconds: 400, speedOf: drive, from: { lat: -0.002, lon: 0.003 } };
    expect(findingsOf(nearNull, drive)).toEqual([]);
    const atNull = { seconds: 400, speedOf: () => 0, from: { lat: 0, lon: 0 } };
    expect(findingsOf(atNull, () => 0)).toEqual(['error location.null']);
  });
});
