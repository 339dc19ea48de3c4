/** Why: the one table of rules, so that the guide, the findings and a standard's overrides name the same things. */
import type { Severity } from './finding.ts';

export type RuleDefinition = {
  /** Raised whenever the same recording could give other figures. */
  readonly version: number;
  readonly severity: Severity;
  readonly meaning: string;
  /** What whoever gets the finding should do. */
  readonly action: string;
};

const error = (meaning: string, action: string): RuleDefinition => ({ version: 1, severity: 'error', meaning, action });
const warning = (meaning: string, action: string): RuleDefinition => ({
  version: 1,
  severity: 'warning',
  meaning,
  action,
});
const info = (meaning: string, action: string): RuleDefinition => ({ version: 1, severity: 'info', meaning, action });

const FIX_UNIT = 'correct the unit where the signal is decoded or mapped, then record or import again';
const FIX_SIGN = 'correct the sign where the signal is decoded or mapped, then record or import again';
const LOOK_AT_SENSOR = 'leave the interval out of training and look at the sensor, its driver and its cable';
const LOOK_AT_CLOCK = 'find what set the clock; re-time the recording from its clock samples before it is used';

export const RULES = {
  'structure.damaged': error(
    'the file is not whole, or a checksum or record in it is wrong',
    'run `fleetloop recording salvage` and check what it keeps; find out where the bytes were lost',
  ),
  'structure.empty': error('the recording holds no message', 'find out why nothing was captured; do not use it'),
  'structure.metadata': error(
    'metadata that a recording of this kind must carry is missing or wrong',
    'find the writer that left it out; the recording cannot be traced to its vehicle without it',
  ),
  'structure.loss': warning(
    'sequence numbers are missing: messages were lost between source and file',
    'compare with the loss and gap records of the vehicle; do not use the intervals for rates or labels',
  ),
  'structure.undecodable': warning(
    'messages of a channel do not decode in the form that it declares',
    'compare the schema of the channel with the software that wrote it',
  ),
  'structure.duplicates': warning(
    'messages of one channel came twice',
    'drop the second ones before counting; look for a source that is read twice',
  ),
  'completeness.topic': warning(
    'a topic that the standard or the recording itself announces has no message',
    'check that the sensor is connected and its driver runs',
  ),
  'completeness.signal': info(
    'a signal is present for a part of the recording only',
    'leave the rest out, or declare how missing values are treated',
  ),
  'completeness.end': warning(
    'a topic that comes regularly stops before the recording ends',
    'check that the sensor stayed connected; leave the rest out',
  ),
  'completeness.start': info(
    'a topic that comes regularly begins after the recording did',
    'leave the time before it out; receivers need a while to find their first position',
  ),
  'rate.low': warning(
    'a topic comes slower than its declared rate, or than in the rest of the recording',
    'look at the load of the vehicle and the bus',
  ),
  'rate.high': warning('a topic comes faster than its declared rate', 'look for a source that is read twice'),
  'rate.gap': warning(
    'a topic that comes regularly is silent for a while',
    'leave the interval out; compare with the gaps that the vehicle reports',
  ),
  'rate.thinned': warning(
    'messages of a regular topic are missing one by one',
    'look for a queue that overflows; do not use the topic where rates or differences matter',
  ),
  'rate.bursts': warning(
    'messages of a sensor come many at once, then none for a while',
    'record the stamps of the sensor instead of the times of arrival; do not use these for rates or alignment',
  ),
  'clock.backwards': warning('log times of a topic go back', LOOK_AT_CLOCK),
  'clock.step': error('the clock that stamps the messages was set while recording', LOOK_AT_CLOCK),
  'clock.skew': warning('log time and publish time of a topic are far apart, or their distance changes', LOOK_AT_CLOCK),
  'clock.zone': error(
    'times are off by whole quarters of an hour: a local time was taken for UTC',
    'declare the time zone of the source and import again',
  ),
  'clock.offset': error('the log clock is off from the time that the GNSS receiver gives', LOOK_AT_CLOCK),
  'clock.range': error('log times lie outside of what can be', LOOK_AT_CLOCK),
  'clock.uncertain': warning('the recording says itself that its clock is uncertain', LOOK_AT_CLOCK),
  'alignment.lag': warning(
    'two channels that measure one quantity are apart in time',
    'correct the stamps of the later channel by the lag, or record its source stamp',
  ),
  'imu.gravity-length': error('the mean acceleration at rest does not have the length of gravity', FIX_UNIT),
  'imu.gravity-axis': error(
    'gravity points along another axis, or the other way, than the declared frame says',
    'correct the mounting or the order and signs of the axes in the mapping',
  ),
  'motion.acceleration-unit': error('longitudinal acceleration is not the derivative of speed: a factor', FIX_UNIT),
  'motion.acceleration-sign': error(
    'longitudinal acceleration has the other sign than the derivative of speed',
    FIX_SIGN,
  ),
  'motion.acceleration-axis': error(
    'the derivative of speed is seen on another axis than the longitudinal one',
    'correct the order of the axes in the mapping',
  ),
  'motion.yaw-unit': error('yaw rate is not the rate of the heading: a factor', FIX_UNIT),
  'motion.yaw-sign': error('yaw rate has the wrong sign against the rate of the heading', FIX_SIGN),
  'motion.yaw-axis': error(
    'the rate of the heading is seen on another axis than yaw',
    'correct the order of the axes in the mapping',
  ),
  'motion.lateral-unit': error('lateral acceleration is not speed times yaw rate: a factor', FIX_UNIT),
  'motion.lateral-sign': error('lateral acceleration has the wrong sign against speed times yaw rate', FIX_SIGN),
  'motion.speed-unit': error('two measures of speed differ by a factor', FIX_UNIT),
  'motion.speed-disagrees': warning(
    'two measures of one quantity do not move together',
    'look at both sources over the interval; one of them is wrong',
  ),
  'motion.carried': info(
    'the vehicle stands by its own speed, but its position moves on steadily',
    'leave the interval out of what learns from driving; if nothing carried the vehicle, look at its speed sensor',
  ),
  'motion.heading': error('heading and course over ground disagree', FIX_SIGN),
  'motion.wheel-yaw': error('the difference of the wheels and the yaw rate disagree', FIX_SIGN),
  'value.infinite': error('a value is infinite', 'find the division or the conversion that made it'),
  'value.nan': warning('a value is not a number', 'find the conversion that made it, or declare it as missing'),
  'value.range': error('values lie outside of what the quantity can be', FIX_UNIT),
  'value.constant': warning('a signal that must move never does', LOOK_AT_SENSOR),
  'value.frozen': warning('a signal that moves stands still for a while', LOOK_AT_SENSOR),
  'value.saturated': warning('values pile up at the end of a range', LOOK_AT_SENSOR),
  'value.quantised': warning('values come in steps that are too coarse for the quantity', LOOK_AT_SENSOR),
  'value.spike': warning(
    'single values are farther from both their neighbours than the quantity can change',
    'drop the values before they are averaged; look at the bus and its decoder',
  ),
  'value.unit-change': error(
    'a signal goes on in another unit, once or back and forth: its level steps by the factor between two units',
    'find what feeds the column from there on (another source, firmware or mapping), convert that part, then record or import again',
  ),
  'value.step': warning(
    'the level of a signal steps farther than the quantity can change, and stays there',
    'look at both sides of the step: another source, a decoder or a reset; only a collision does that to a vehicle',
  ),
  'value.duplicated': warning(
    'two signals hold the same values all along',
    'find which of the two columns is the copy; drop it',
  ),
  'location.jump': warning('positions jump farther than the vehicle can drive', LOOK_AT_SENSOR),
  'location.null': error(
    'positions lie at 0°, 0°, which stands for no fix',
    'drop positions without a fix at the source',
  ),
  'location.place': error(
    'positions lie outside of the place that the session names',
    'correct the attribute, or the order and signs of latitude and longitude',
  ),
  'identity.vehicle': error(
    'the recording names two different vehicles',
    'find out which vehicle recorded it before it is used',
  ),
  'schema.changed': warning(
    'with a software version, fields of a topic are gone, renamed, of another type or in another unit, or its encoding is another',
    'teach whatever reads the topic both forms, by software version, before recordings of both are used together',
  ),
  'schema.changed-unversioned': error(
    'the same happens under one software version: nothing tells which recording is of which form',
    'find out what differs on the vehicle (configuration, firmware of the sensor, mapping); give the change a version of its own',
  ),
  'schema.extended': info(
    'with a software version, a topic has more fields or another schema text, and nothing that was known is gone',
    'nothing breaks; let whatever reads the topic treat the new fields as missing before that version',
  ),
  'schema.extended-unversioned': warning(
    'the same happens under one software version',
    'give the change a version of its own; treat the fields as ones that may be missing',
  ),
  'schema.rate': info(
    'a topic comes at another rate than before',
    'check windows and minimum counts of features over the topic',
  ),
} as const satisfies Record<string, RuleDefinition>;

export type RuleName = keyof typeof RULES;

export function isRuleName(text: string): text is RuleName {
  return Object.hasOwn(RULES, text);
}
