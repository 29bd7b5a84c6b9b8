#include "runtime/cluster/certs.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

namespace troupe {

namespace {

using key_ptr = std::shared_ptr<EVP_PKEY>;
using x509_ptr = std::shared_ptr<X509>;
using bio_ptr = std::shared_ptr<BIO>;

error failed(const std::string& what) {
  auto* reason = ERR_reason_error_string(ERR_get_error());
  ERR_clear_error();
  return fail(errc::bad_file,
              what + ": " + (reason == nullptr ? "unknown reason" : reason));
}

bio_ptr memory(const std::string& bytes = "") {
  auto b = bio_ptr{BIO_new(BIO_s_mem()), [](auto* x) { BIO_free(x); }};
  if (!bytes.empty())
    BIO_write(b.get(), bytes.data(), static_cast<int>(bytes.size()));
  return b;
}

std::string text_of(const bio_ptr& b) {
  auto* data = static_cast<char*>(nullptr);
  auto n = BIO_get_mem_data(b.get(), &data);
  return n > 0 ? std::string(data, static_cast<size_t>(n)) : "";
}

// As what a name counts: clients compare addresses with addresses alone.
std::string kind_of(const std::string& node) {
  auto* address = a2i_IPADDRESS(node.c_str());
  ASN1_OCTET_STRING_free(address);
  return address == nullptr ? "DNS:" : "IP:";
}

bool extend(X509* x, X509* issuer, int nid, const char* value) {
  auto context = X509V3_CTX{};
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, x, nullptr, nullptr, 0);
  auto* e = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
  auto ok = e != nullptr && X509_add_ext(x, e, -1) == 1;
  X509_EXTENSION_free(e);
  return ok;
}

// All but extensions and signature; null if OpenSSL can't.
x509_ptr blank(const std::string& name, const validity& when, EVP_PKEY* key) {
  auto x = x509_ptr{X509_new(), [](auto* p) { X509_free(p); }};
  unsigned char serial[16];
  if (!x || RAND_bytes(serial, sizeof(serial)) != 1)
    return nullptr;
  serial[0] = (serial[0] & 0x7f) | 0x40; // positive and of full length
  auto* number = BN_bin2bn(serial, sizeof(serial), nullptr);
  auto* subject = X509_get_subject_name(x.get());
  auto ok =
      number != nullptr
      && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x.get())) != nullptr
      && X509_set_version(x.get(), X509_VERSION_3) == 1
      && X509_gmtime_adj(X509_getm_notBefore(x.get()), when.from.count())
             != nullptr
      && X509_gmtime_adj(X509_getm_notAfter(x.get()), when.until.count())
             != nullptr
      && X509_NAME_add_entry_by_txt(
             subject, "O", MBSTRING_ASC,
             reinterpret_cast<const unsigned char*>("Troupe"), -1, -1, 0)
             == 1
      && X509_NAME_add_entry_by_txt(
             subject, "CN", MBSTRING_ASC,
             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0)
             == 1
      && X509_set_pubkey(x.get(), key) == 1;
  BN_free(number);
  return ok ? x : nullptr;
}

key_ptr new_key() {
  return {EVP_EC_gen("P-256"), [](auto* k) { EVP_PKEY_free(k); }};
}

result<pem_pair> to_pem(X509* x, EVP_PKEY* key) {
  auto certificate = memory();
  auto secret = memory();
  if (PEM_write_bio_X509(certificate.get(), x) != 1
      || PEM_write_bio_PrivateKey(secret.get(), key, nullptr, nullptr, 0,
                                  nullptr, nullptr)
             != 1)
    return failed("certificate");
  return pem_pair{text_of(certificate), text_of(secret)};
}

int no_passphrase(char*, int, int, void*) {
  return -1;
}

} // namespace

result<certificate_authority>
certificate_authority::create(const validity& when) {
  auto made = certificate_authority{};
  made.key_ = new_key();
  if (!made.key_)
    return failed("CA's key");
  auto x = made.certificate_ = blank("cluster CA", when, made.key_.get());
  auto* p = x.get();
  if (!x || !extend(p, p, NID_basic_constraints, "critical,CA:TRUE,pathlen:0")
      || !extend(p, p, NID_key_usage, "critical,keyCertSign,cRLSign")
      || !extend(p, p, NID_subject_key_identifier, "hash")
      || X509_set_issuer_name(p, X509_get_subject_name(p)) != 1
      || X509_sign(p, made.key_.get(), EVP_sha256()) == 0)
    return failed("CA");
  return made;
}

result<certificate_authority>
certificate_authority::from_pem(const pem_pair& files) {
  auto read = certificate_authority{};
  read.certificate_ = {PEM_read_bio_X509(memory(files.certificate).get(),
                                         nullptr, no_passphrase, nullptr),
                       [](auto* x) { X509_free(x); }};
  read.key_ = {PEM_read_bio_PrivateKey(memory(files.key).get(), nullptr,
                                       no_passphrase, nullptr),
               [](auto* k) { EVP_PKEY_free(k); }};
  if (!read.certificate_ || !read.key_
      || X509_check_private_key(read.certificate_.get(), read.key_.get()) != 1)
    return failed("not a CA's certificate and its key");
  if (X509_check_ca(read.certificate_.get()) == 0)
    return fail(errc::bad_file, "not a CA's certificate");
  return read;
}

result<pem_pair> certificate_authority::pem() const {
  return to_pem(certificate_.get(), key_.get());
}

result<pem_pair> certificate_authority::issue(const std::string& node,
                                              const validity& when) const {
  auto key = new_key();
  if (!key)
    return failed(node + "'s key");
  auto x = blank(node, when, key.get());
  auto* p = x.get();
  auto* ca = certificate_.get();
  if (!x || !extend(p, ca, NID_basic_constraints, "critical,CA:FALSE")
      || !extend(p, ca, NID_key_usage, "critical,digitalSignature")
      || !extend(p, ca, NID_ext_key_usage, "serverAuth,clientAuth")
      || !extend(p, ca, NID_authority_key_identifier, "keyid:always")
      || !extend(p, ca, NID_subject_alt_name, (kind_of(node) + node).c_str())
      || X509_set_issuer_name(p, X509_get_subject_name(ca)) != 1
      || X509_sign(p, key_.get(), EVP_sha256()) == 0)
    return failed(node + "'s certificate");
  return to_pem(p, key.get());
}

} // namespace troupe
