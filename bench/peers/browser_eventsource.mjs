// A browser has what rxdb-server takes from a package for Node.
export const { EventSource } = globalThis;
export default EventSource;
