/** What was told already, in a small file of the state folder, so that a restart does not say it again. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { z } from 'zod'

export interface Told {
  /** Names of causes. */
  readonly causes: readonly string[]
  /** The local day of the last digest; null before the first. */
  readonly digestDay: string | null
}

/** More causes than sources, targets and accounts there cannot be. */
const causesMax = 10_000
const shape: z.ZodType<Told> = z.object({
  causes: z.array(z.string()).max(causesMax),
  digestDay: z.string().nullable(),
})

/** What the file says; nothing where it is none, since telling twice is better than never. */
export function toldIn(file: string): Told {
  try {
    return shape.parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch {
    // Not there yet, or torn by a crash of the disk.
    return { causes: [], digestDay: null }
  }
}

/** Whole or not at all. @throws where the disk refuses. */
export function keepTold(file: string, told: Told): void {
  const made = `${file}.new`
  writeFileSync(made, JSON.stringify(told), { mode: 0o600 })
  renameSync(made, file)
}
