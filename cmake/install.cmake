# What is installed: the program with its model and its documents, and the
# library with its headers, its CMake package and its pkg-config file.

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# -- the library ---------------------------------------------------------------

# One library of all three layers.
set(objects $<TARGET_OBJECTS:troupe_core> $<TARGET_OBJECTS:troupe_actors>
            $<TARGET_OBJECTS:troupe_runtime>)
add_library(troupe_static STATIC ${objects})
target_link_libraries(troupe_static INTERFACE Threads::Threads ICU::uc
                      OpenSSL::SSL OpenSSL::Crypto re2 xxhash caf_io caf_core)
set_target_properties(troupe_static PROPERTIES OUTPUT_NAME troupe
                      EXPORT_NAME static LINKER_LANGUAGE CXX)
add_library(troupe::static ALIAS troupe_static)
set(libraries troupe_static)
if(TROUPE_SHARED)
  set(EXPORTS ${CMAKE_SOURCE_DIR}/cmake/exports.map)
  add_library(troupe_shared SHARED ${objects})
  target_link_libraries(troupe_shared PRIVATE ICU::uc PkgConfig::RE2
                        PkgConfig::XXHASH OpenSSL::SSL OpenSSL::Crypto CAF::io
                        CAF::core Threads::Threads)
  # Names that are not on that list stay inside, whatever headers define.
  target_link_options(troupe_shared PRIVATE
                      -Wl,--version-script=${EXPORTS} -Wl,--no-undefined)
  if(TROUPE_ORDERS_FUNCTIONS)
    target_link_options(troupe_shared PRIVATE -Wl,-T,${REQUEST_PATH})
  endif()
  set_target_properties(troupe_shared PROPERTIES OUTPUT_NAME troupe
                        EXPORT_NAME troupe LINKER_LANGUAGE CXX SOVERSION 0
                        VERSION ${PROJECT_VERSION}
                        LINK_DEPENDS "${EXPORTS};${REQUEST_PATH}")
  add_library(troupe::troupe ALIAS troupe_shared)
  list(APPEND libraries troupe_shared)
else()
  add_library(troupe::troupe ALIAS troupe_static)
endif()

# The same for hosts with actors of their own.
add_library(troupe_with_actors INTERFACE)
set_target_properties(troupe_with_actors PROPERTIES EXPORT_NAME actors)
list(GET libraries -1 preferred)
target_link_libraries(troupe_with_actors INTERFACE ${preferred} CAF::io CAF::core)
add_library(troupe::actors ALIAS troupe_with_actors)

include(cmake/public_headers.cmake)
set(PUBLIC_HEADERS ${CMAKE_BINARY_DIR}/include)
troupe_public_headers(${PUBLIC_HEADERS})
foreach(library ${libraries})
  target_include_directories(${library} INTERFACE
    $<BUILD_INTERFACE:${PUBLIC_HEADERS}>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_compile_features(${library} INTERFACE cxx_std_20)
endforeach()

set(PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/troupe)
install(TARGETS ${libraries} EXPORT troupe
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT dev
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library
        NAMELINK_COMPONENT dev)
install(TARGETS troupe_with_actors EXPORT actors)
install(DIRECTORY ${PUBLIC_HEADERS}/troupe COMPONENT dev
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT troupe NAMESPACE troupe:: DESTINATION ${PACKAGE_DIR}
        FILE troupeTargets.cmake COMPONENT dev)
install(EXPORT actors NAMESPACE troupe:: DESTINATION ${PACKAGE_DIR}
        FILE troupeActors.cmake COMPONENT dev)
configure_package_config_file(cmake/troupeConfig.cmake.in
  ${CMAKE_BINARY_DIR}/troupeConfig.cmake INSTALL_DESTINATION ${PACKAGE_DIR}
  PATH_VARS CMAKE_INSTALL_DATADIR)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/troupeConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/troupeConfig.cmake
              ${CMAKE_BINARY_DIR}/troupeConfigVersion.cmake cmake/FindCAF.cmake
        DESTINATION ${PACKAGE_DIR} COMPONENT dev)

install(FILES cmake/request_path.ld COMPONENT dev
        DESTINATION ${CMAKE_INSTALL_DATADIR}/troupe)

set(PC_STATIC "-lcaf_io -lcaf_core -lre2 -lxxhash -lssl -lcrypto -licuuc \
-licudata -lpthread -lstdc++ -lm")
if(NOT TROUPE_SHARED)
  set(PC_LIBS ${PC_STATIC})
endif()
file(RELATIVE_PATH PC_UP /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(cmake/troupe.pc.in ${CMAKE_BINARY_DIR}/troupe.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/troupe.pc COMPONENT dev
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# -- the program ---------------------------------------------------------------

install(TARGETS troupe RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR}
        COMPONENT program)
install(FILES models/troupe-demo.gguf COMPONENT program
        DESTINATION ${CMAKE_INSTALL_DATADIR}/troupe/models)
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program)
install(FILES README.md CHANGELOG.md LICENSE COMPONENT program
        DESTINATION ${CMAKE_INSTALL_DOCDIR})

# -- Debian packages: cpack -G DEB ---------------------------------------------

set(CPACK_PACKAGE_NAME troupe)
set(CPACK_PACKAGE_VENDOR Troupe)
set(CPACK_PACKAGE_CONTACT "Troupe <troupe@localhost>")
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_GENERATOR DEB)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_COMPONENTS_ALL program dev)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME troupe)
set(CPACK_COMPONENT_PROGRAM_DESCRIPTION
    "LLM inference runtime made of actors\n\
 The command line with a small model and the documents.")
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_DEV_PACKAGE_NAME libtroupe-dev)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_COMPONENT_DEV_DESCRIPTION
    "LLM inference runtime made of actors: library\n\
 Headers, library, CMake package and pkg-config file, for C++ and C.")
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS "libcaf-dev, libicu-dev, libre2-dev, \
libssl-dev, libxxhash-dev")
if(TROUPE_SHARED)
  list(APPEND CPACK_COMPONENTS_ALL library)
  set(CPACK_DEBIAN_LIBRARY_PACKAGE_NAME libtroupe0)
  set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libs)
  set(CPACK_COMPONENT_LIBRARY_DESCRIPTION
      "LLM inference runtime made of actors: shared library\n\
 What programs that are linked with it need.")
  set(CPACK_DEBIAN_LIBRARY_PACKAGE_SHLIBDEPS ON)
  string(PREPEND CPACK_DEBIAN_DEV_PACKAGE_DEPENDS
         "libtroupe0 (= ${PROJECT_VERSION}), ")
endif()
include(CPack)
