/** Box's names: what an item may be called and when two are the same. Knows nothing of what lies there. */
import { Refused } from './refusal.ts'

/** The reference says characters; whether code points or UTF-16 units are meant is not documented. */
const nameUnitsMax = 255

/** @throws Refused item_name_invalid, item_name_too_long */
export function expectName(name: string): void {
  if (name.length > nameUnitsMax) throw new Refused(400, 'item_name_too_long')
  // Pages since 2020 list more as refused, which the reference and rclone's tests against the service contradict.
  if (name === '' || name === '.' || name === '..' || name.endsWith(' ') || /[\\/\0-\x1f\x7f]/.test(name)) {
    throw new Refused(400, 'item_name_invalid')
  }
}

/** Under what a folder holds an item. */
export function storedKey(name: string): string {
  return name.toLowerCase()
}

/** The keys that an incoming name must find free. Reports say that only the incoming name is normalised, and only in these checks. */
export function askedKeys(name: string, isNormalised: boolean): readonly string[] {
  return isNormalised ? [storedKey(name), storedKey(name.normalize('NFKC'))] : [storedKey(name)]
}
