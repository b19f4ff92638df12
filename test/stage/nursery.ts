/** Children for supervisors that write down when they start and stop. */
import {
  type Child,
  type ChildOptions,
  type Reason,
  supervise,
  type SuperviseOptions,
  type Supervisor,
} from '../../src/stage/stage.ts'

/** Children that write down when they start and stop, and end when the test says so. */
export class Nursery {
  readonly log: string[] = []
  readonly #ends = new Map<string, (reason: Reason) => void>()
  /** Starts that shall fail, per name. */
  readonly failing = new Map<string, number>()

  child(name: string, options: Partial<ChildOptions> = {}): ChildOptions {
    return { name, start: () => this.#start(name), ...options }
  }

  children(...names: string[]): ChildOptions[] {
    return names.map((name) => this.child(name))
  }

  end(name: string, reason: Reason = new Error(`${name} fell`)): void {
    this.#ends.get(name)?.(reason)
  }

  takeLog(): string[] {
    return this.log.splice(0)
  }

  #start(name: string): Child {
    const failures = this.failing.get(name) ?? 0
    this.failing.set(name, failures - 1)
    if (failures > 0) throw new Error(`${name} cannot start`)
    this.log.push(`+${name}`)
    const stopped = new Promise<Reason>((resolve) => this.#ends.set(name, resolve))
    return {
      stopped,
      stop: (reason: Reason = 'normal') => {
        this.log.push(`-${name}`)
        this.end(name, reason)
      },
    }
  }
}

/** A supervisor of such children that has all the restarts it could want, unless it is said. */
export async function withNursery(
  options: SuperviseOptions,
  ...names: string[]
): Promise<{ nursery: Nursery; tree: Supervisor }> {
  const nursery = new Nursery()
  const tree = await supervise({ restartsMax: 100, ...options, children: nursery.children(...names) })
  nursery.takeLog()
  return { nursery, tree }
}
