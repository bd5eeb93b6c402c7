variable "names" {
  description = "Repositories to make."
  type        = list(string)
}

variable "key_arn" {
  description = "The key that encrypts images."
  type        = string
}

variable "kept_images" {
  description = "Images to keep, the newest."
  type        = number
}

variable "replica_regions" {
  description = "Regions that get a copy of every image."
  type        = list(string)
}

variable "account_id" {
  description = "The account."
  type        = string
}
