/** The same figures of the version whose receivers recorded each post themselves, by the name of today's figure. */
export const BEFORE: Readonly<Record<string, string>> = {
  bundle: '284.6',
  'load time': '1.15, of a larger SDK',
  receiving: '1,824, recorded',
  signature: '59.3',
  requests: '0.1; 30 in ten posts of ten',
  'write units': '1',
  'time, engine': '16.9',
  CPU: '1.16',
  'concurrency, engine': '19.4, of 16 receivers',
  memory: '102, of one post',
  sender: '8.58, with nothing added',
};
