import { describe, expect, it } from 'vitest';
import { isMeasured, twistSpeedOf } from './twist-speed.ts';

const linear = (x: number, y = 0, z = 0): object => ({ linear: { x, y, z }, angular: { x: 0, y: 0, z: 1 } });

describe('the speed of a message with a twist', () => {
  it('is the length of the velocity, whichever frame it is in', () => {
    expect(twistSpeedOf({ header: { frame_id: 'map' }, twist: linear(-3, 4) })).toBe(5);
    expect(twistSpeedOf({ child_frame_id: 'base_link', twist: { twist: linear(3, 4), covariance: [] } })).toBe(5);
  });

  it('is negative backwards in the frame of a vehicle only', () => {
    expect(twistSpeedOf({ child_frame_id: 'base_link', twist: { twist: linear(-2, 0.1) } })).toBeLessThan(-2);
    expect(twistSpeedOf({ header: { frame_id: 'base_link' }, twist: linear(-2) })).toBe(-2);
    expect(twistSpeedOf({ header: { frame_id: 'odom' }, twist: linear(-2) })).toBe(2);
    expect(twistSpeedOf({ child_frame_id: 'base_link', twist: { twist: linear(-2, 5) } })).toBeGreaterThan(5);
  });

  it.each([[null], [7], [{}], [{ twist: 3 }], [{ twist: {} }], [{ twist: { linear: [1, 2, 3] } }], [linear(1)]])(
    'is none of %j',
    (message) => {
      expect(twistSpeedOf(message)).toBeUndefined();
    },
  );

  it('is not that of a command', () => {
    expect(['/odom', '/vehicle/twist', '/gps/vel'].every(isMeasured)).toBe(true);
    expect(['/cmd_vel', '/target/twist', '/planner/velocity'].some(isMeasured)).toBe(false);
  });
});
