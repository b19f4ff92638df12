/** A status in one line, for `systemctl status`: how much is owed and for how long, and what is not as it should be. */
import { showBytes, showDuration } from '../base/units.ts'
import type { Status } from '../control/control.ts'

/** Troubles named one by one; the rest is counted. */
const troublesMax = 3

/** @param isConfigRefused the configuration file is not in force as it stands now (F95). */
export function statusLine({ sources, targets, accounts, oldestMs }: Status, isConfigRefused: boolean): string {
  const sum = (of: (target: Status['targets'][number]) => number): number =>
    targets.reduce((total, target) => total + of(target), 0)
  const owed = sum(({ waiting, active }) => waiting + active)
  const parked = sum((target) => target.parked)
  const queue =
    owed === 0
      ? 'nothing waits'
      : `${owed} to deliver (${showBytes(sum(({ bytesWaiting }) => bytesWaiting))}), lag ${showDuration(roughly(oldestMs ?? 0))}`
  const troubles = [
    ...sources.filter(({ state }) => !['watching', 'polling'].includes(state)),
    ...targets.filter(({ state }) => state !== 'running'),
    ...accounts
      .filter(({ state }) => state === 'ends-soon' || state === 'ends-today')
      .map(({ name, state }) => ({ name: `login ${name}`, state })),
  ].map(({ name, state }) => `${name} ${state}`)
  const more = troubles.length > troublesMax ? [`${troubles.length - troublesMax} more`] : []
  const refused = isConfigRefused ? ['configuration not taken over, the one before stays in force (see the log)'] : []
  return [
    queue,
    ...refused,
    ...(parked === 0 ? [] : [`${parked} parked`]),
    ...troubles.slice(0, troublesMax),
    ...more,
  ].join('; ')
}

/** In steps that are worth a message to the manager: seconds up to a minute, then minutes. */
function roughly(ms: number): number {
  const step = ms < 60_000 ? 1_000 : 60_000
  return Math.floor(ms / step) * step
}
