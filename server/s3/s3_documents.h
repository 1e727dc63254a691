/*
 * s3_documents.h - the pieces that several documents share.
 */
#ifndef SERVER_S3_S3_DOCUMENTS_H
#define SERVER_S3_S3_DOCUMENTS_H

#include "server/s3/s3.h"
#include "server/s3/xml.h"

void s3_xml_etag(struct xml *xml, const char *etag);           /* <ETag>"..."</ETag> of an ETag without quotes */
void s3_xml_time(struct xml *xml, const char *name, int64_t ms);
void s3_xml_owner(struct xml *xml, const char *name, struct str owner); /* name: "Owner", "Initiator" */
/* <ChecksumCRC32>...</ChecksumCRC32><ChecksumType>...</ChecksumType>; nothing without a checksum. */
void s3_xml_checksum(struct xml *xml, const struct object_checksum *checksum, uint32_t part_count);

/* xml_end, and answer 200 with it. */
struct err s3_answer_document(struct s3_request *req, struct xml *xml);

#endif
