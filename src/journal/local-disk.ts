/** Refuses a journal on network storage: locks and shared memory lie there, and a journal that two machines write is lost (F88). */
import { statfsSync } from 'node:fs'
import { OwnerError } from '../base/errors.ts'

/** File system magic numbers. Source: linux/magic.h, statfs(2). FUSE may be anything; most of what is mounted by it is a network. */
const networkNames: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB2'],
  [0x01021997, '9P'],
  [0x65735546, 'FUSE'],
  [0x00c36400, 'Ceph'],
  [0x5346414f, 'AFS'],
])

/** The name of a file system of this type where it is a network's; undefined for a local one. */
export function networkName(type: number): string | undefined {
  // The number comes as signed on some machines.
  return networkNames.get(type >>> 0)
}

/** @throws OwnerError where `folder` lies on network storage. @param type its file system's, as statfs says. */
export function refuseNetwork(folder: string, type: number = statfsSync(folder).type): void {
  const name = networkName(type)
  if (name === undefined) return
  throw new OwnerError(
    `the state directory ${folder} is on network storage (${name}), where locks cannot be trusted and a journal breaks sooner or later: ` +
      'give a "state:" on a local disk, or, if this is known to be safe here, write "state-on-network: allow"',
  )
}
