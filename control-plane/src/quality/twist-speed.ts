/**
 * Why: ROS has no speed, only velocities, which writers give in the frame of the vehicle, the map or the earth. The length of the
 * vector is the speed over ground in all of them; its sign is only known where the frame is the one of a vehicle.
 */

/** The number that a twist has beside its fields. */
export const TWIST_SPEED = 'twist.linear.length';

/** What somebody wants is not what was measured. */
const WANTED = /cmd|command|desired|target|reference|setpoint|goal|plan/i;
const VEHICLE_FRAME = /base|body|ego|vehicle|car\b/i;
/** Share of the forward velocity that the others stay below in a vehicle's own frame: wheels hardly slide. */
const SIDEWAYS_SHARE_MAX = 0.3;

type Fields = Readonly<Record<string, unknown>>;

/** Whether a topic of this name may hold velocities that were measured. */
export function isMeasured(topic: string): boolean {
  return !WANTED.test(topic);
}

/** The speed of a message that holds a `twist`, perhaps with its covariance around it; undefined for any other. Hot path. */
export function twistSpeedOf(message: unknown): number | undefined {
  if (!isFields(message) || !isFields(message['twist'])) return undefined;
  const { twist } = message;
  const { linear } = isFields(twist['twist']) ? twist['twist'] : twist;
  if (!isFields(linear)) return undefined;
  const { x, y, z } = linear;
  if (typeof x !== 'number' || typeof y !== 'number' || typeof z !== 'number') return undefined;
  const length = Math.hypot(x, y, z);
  const isBackwards = x < 0 && Math.hypot(y, z) <= SIDEWAYS_SHARE_MAX * -x;
  return isBackwards && VEHICLE_FRAME.test(frameOf(message)) ? -length : length;
}

/** The frame of the velocities: of an odometry its child, of a twist its header's. */
function frameOf({ child_frame_id: child, header }: Fields): string {
  if (typeof child === 'string') return child;
  return isFields(header) && typeof header['frame_id'] === 'string' ? header['frame_id'] : '';
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);
}
