/** The grammar of capture topics and the names of the fields below them. */
import { FleetError } from '../errors/fleet-error.ts';

const VSS_TOPIC = /^\/vss\/(Vehicle(?:\.[A-Za-z][A-Za-z0-9]*)*)$/;
const SENSOR_TOPIC = /^\/sensor\/[a-z][a-z0-9_]*\/[a-z][a-z0-9_]*$/;

/** Whether a text is `/vss/<branch>` or `/sensor/<position>/<kind>`. */
export function isSignalTopic(text: string): boolean {
  return VSS_TOPIC.test(text) || SENSOR_TOPIC.test(text);
}

/**
 * The field names of a channel's paths: what follows the branch of the topic (or, below `/sensor/`, the deepest branch that all
 * paths share), in snake_case, e.g. `row1_wheel_left_speed`.
 * @throws FleetError `MAPPING_INVALID` when a path is not below the topic's branch.
 */
export function fieldNames(topic: string, paths: readonly string[]): readonly string[] {
  const branch = VSS_TOPIC.exec(topic)?.[1]?.split('.') ?? sharedBranch(paths);
  return paths.map((path) => {
    const parts = path.split('.');
    const isBelow = parts.length > branch.length && branch.every((part, index) => parts[index] === part);
    if (!isBelow)
      throw new FleetError('MAPPING_INVALID', `topic ${topic}: ${path} is not below the branch ${branch.join('.')}`);
    return parts.slice(branch.length).map(snakeCase).join('_');
  });
}

function sharedBranch(paths: readonly string[]): readonly string[] {
  const [first = [], ...others] = paths.map((path) => path.split('.').slice(0, -1));
  const length = first.findIndex((part, index) => others.some((other) => other[index] !== part));
  return length === -1 ? first : first.slice(0, length);
}

/** `PedalPosition` to `pedal_position`, `TPS` to `tps`, `Row1` to `row1`. */
function snakeCase(part: string): string {
  return part
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replaceAll(/([A-Z])([A-Z][a-z])/g, '$1_$2')
    .toLowerCase();
}
