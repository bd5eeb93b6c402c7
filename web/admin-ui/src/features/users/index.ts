export { Users } from "./Users";
