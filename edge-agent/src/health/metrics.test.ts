import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { metricsOf } from './metrics.ts';
import { STATUS } from './status-testbed.ts';

const valuesOf = (name: string, status = STATUS) =>
  metricsOf(status).find((metric) => metric.name === `fleetloop_agent_${name}`)?.values;

describe('the metrics of a status', () => {
  it('have names of the format, each once, and counters end in _total', () => {
    const metrics = metricsOf(STATUS);
    expect(metrics.length).toBeGreaterThan(25);
    expect(new Set(metrics.map(({ name }) => name)).size).toBe(metrics.length);
    for (const { name, type, help, labels, values } of metrics) {
      expect(name).toMatch(/^fleetloop_agent_[a-z_]+$/);
      expect(name.endsWith('_total')).toBe(type === 'counter');
      expect(help).toMatch(/\.$/);
      for (const each of values) expect(Object.keys(each.labels)).toEqual(labels);
    }
  });

  it('carry the figures of the stages', () => {
    expect(valuesOf('capture_messages_total')).toEqual([{ labels: {}, value: 1_000 }]);
    expect(valuesOf('capture_findings')).toEqual([
      { labels: { finding: 'frozen' }, value: 1 },
      { labels: { finding: 'silent' }, value: 1 },
    ]);
    expect(valuesOf('trigger_fired_total')).toEqual([{ labels: { campaign: 'fast' }, value: 2 }]);
    expect(valuesOf('spool_disk_state')).toContainEqual({ labels: { state: 'evicting' }, value: 1 });
    expect(valuesOf('spool_disk_state')).toContainEqual({ labels: { state: 'normal' }, value: 0 });
    expect(valuesOf('uplink_connected')).toEqual([{ labels: {}, value: 1 }]);
  });

  it('are those that the README names, with their labels', () => {
    const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
    const named = [...readme.matchAll(/`(fleetloop_agent_[a-z_]+(?:\{[a-z,]+\})?)`/g)].map(([, name = '']) => name);
    const served = metricsOf(STATUS).map(
      ({ name, labels }) => `${name}${labels.length > 0 ? `{${labels.join()}}` : ''}`,
    );
    expect(new Set(named)).toEqual(new Set(served));
  });

  it('leave out a budget that has no limit', () => {
    expect(valuesOf('uplink_left_today_bytes')).toEqual([
      { labels: { priority: 'normal' }, value: 1_048_576 },
      { labels: { priority: 'bulk' }, value: 0 },
    ]);
  });

  it('keep their labels while there is nothing to count', () => {
    const { published: _, ...capture } = STATUS.capture;
    const empty = { ...STATUS, campaigns: [], capture: { ...capture, findings: [] } };
    expect(valuesOf('publish_dropped_total', empty)).toEqual([]);
    expect(metricsOf(empty).map(({ labels }) => labels)).toEqual(metricsOf(STATUS).map(({ labels }) => labels));
  });
});
